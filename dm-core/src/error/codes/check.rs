//! Prechecks: 26001 and up.

codes! {
    CHECK_CASE_TWINS = 26001 TaskCheck Internal Medium "check-case-twins":
        "Two target names differ only in upper and lower case.",
        "Route one of them elsewhere, or set `case-sensitive: true` where the target tells them apart.";
    CHECK_CONNECT = 26002 TaskCheck Internal High "check-connect":
        "A server cannot be reached for checking.",
        "Check host, port, user, password and the network.";
    CHECK_ROUTER = 26003 TaskCheck Internal Medium "check-router":
        "The routes cannot be put together for checking.",
        "Check the patterns of the routes that the instance names.";
    CHECK_FAILED = 26005 TaskCheck Internal Medium "check-failed":
        "The checks before the start found something that will not work.",
        "Each finding says what to do; `ignore-checking-items` leaves a check out.";
    CHECK_BLOCK_LIST = 26006 TaskCheck Internal Medium "check-block-list":
        "The block-allow-list cannot be put together for checking.",
        "Check the patterns of the list that the instance names.";
    CHECK_GTID_MODE = 26007 TaskCheck Internal Medium "check-gtid-mode":
        "The source file says `enable-gtid: true`, but the server does not write GTIDs.",
        "Turn `gtid_mode` ON at the source, step by step as its manual says, or set `enable-gtid: false`.";
}
