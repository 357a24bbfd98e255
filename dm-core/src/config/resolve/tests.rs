use super::*;

#[test]
fn time_zones() {
    for right in ["+08:00", "-12:59", "+14:00", "Asia/Shanghai", "UTC"] {
        assert!(is_timezone(right), "{right}");
    }
    for wrong in ["SYSTEM", "Local", "+14:01", "-13:00", "+8", "+08:60", "Mars/Olympus", "+a:00"] {
        assert!(!is_timezone(wrong), "{wrong}");
    }
}
