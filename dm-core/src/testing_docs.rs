//! Pages that are rendered from tables and must not lag behind them.

use std::path::Path;

/// Compares a page with what it should be, or writes it when `UPDATE_DOCS` is set.
pub(crate) fn compare(path: &Path, rendered: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, rendered).unwrap();
        return;
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    let differs = written
        .lines()
        .zip(rendered.lines())
        .position(|(a, b)| a != b)
        .or((written != rendered).then(|| written.lines().count().min(rendered.lines().count())));
    assert_eq!(
        differs.map(|line| line + 1),
        None,
        "{} lags behind its table, from the line named; run the tests with UPDATE_DOCS=1",
        path.display()
    );
}
