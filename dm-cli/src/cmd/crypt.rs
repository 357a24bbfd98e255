//! `dm encrypt` and `dm decrypt`.

use std::io::Read;
use std::process::ExitCode;

use crate::args::CryptArgs;
use crate::files::{self, Failure};
use crate::out;

fn text(args: &CryptArgs) -> Result<String, Failure> {
    if let Some(text) = &args.text {
        return Ok(text.clone());
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| Failure::Usage(format!("cannot read standard input: {e}")))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

pub fn encrypt(args: &CryptArgs) -> Result<ExitCode, Failure> {
    let key = files::key(args.key.path())?;
    out::say(&dm_core::config::encrypt(&text(args)?, &key))
}

pub fn decrypt(args: &CryptArgs) -> Result<ExitCode, Failure> {
    let key = files::key(args.key.path())?;
    let plain = dm_core::config::decrypt(&text(args)?, &key).map_err(Failure::Input)?;
    out::say(plain.expose())
}
