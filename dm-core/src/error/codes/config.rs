//! Configuration files: 20001 and up. Numbers from 20201 are ours.

codes! {
    CONFIG_YAML = 20003 Config Internal Medium "config-yaml":
        "A configuration file is not valid YAML, or has an unknown key, a key twice, or a value of the wrong type.",
        "Correct the file at the line named.";
}
