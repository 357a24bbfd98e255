//! Words of an operator about single statements, in our own numbers: 36221 and up.

codes! {
    OPERATOR_NOTHING = 36221 SyncUnit Internal Low "operator-nothing":
        "There is no failed statement to handle.",
        "Look at the task with `dm query-status`; to speak of a statement that is still to come, give its position with `-b file:offset`.";
    OPERATOR_PASSED = 36222 SyncUnit Internal Low "operator-passed":
        "The stream has passed this position.",
        "What ran before the task's position stays as it is: `dm checkpoint show` tells the position. Bring the target to what it should be by hand.";
    OPERATOR_PLACE = 36223 SyncUnit Internal Low "operator-place":
        "This is not the position of a statement.",
        "Write it as `file:offset`, for instance `mysql-bin.000003:2345`, the startLocation of the error.";
}
