//! Encrypted passwords, in DM's form.
//!
//! AES-256 in CFB mode; the text is base64 of 16 bytes of initial vector, `@`, and the encrypted
//! bytes. DM up to version 8 has its key built in, so that this hides a password from someone looking
//! over a shoulder and from nobody else; a key of one's own does more. There is no checksum: a wrong key
//! gives other bytes rather than an error. Bytes that are no printable text are therefore refused
//! (20010) instead of being tried at a server, which might lock the account.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

use aes::cipher::KeyIvInit;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Secret;
use crate::error::{Error, Result, codes};

const IV: usize = 16;
const SEPARATOR: u8 = b'@';
/// What may stand before an encrypted password, to say that it is one (ours).
pub(super) const MARKER: &str = "enc:";

/// The key that passwords are encrypted under.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; 32]);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(******)")
    }
}

impl Default for SecretKey {
    /// The key that is built in.
    fn default() -> Self {
        Self::built_in()
    }
}

impl SecretKey {
    /// The key that is built in, the one of DM 5.3.
    pub fn built_in() -> Self {
        Self([
            0xa5, 0x29, 0xb7, 0x66, 0x59, 0x97, 0xf0, 0x43, 0xa3, 0x0a, 0xc8, 0xfa, 0xdc, 0xb5,
            0x1d, 0x6a, 0xa0, 0x32, 0xc2, 0x26, 0xab, 0x5b, 0x77, 0x50, 0x53, 0x0b, 0x12, 0xb8,
            0xc1, 0xa1, 0x6a, 0x48,
        ])
    }

    /// A key out of the text of a key file: 64 hexadecimal characters, white space around them.
    ///
    /// # Errors
    ///
    /// 20067 when the text is something else.
    pub fn from_hex(text: &str) -> Result<Self> {
        let wrong =
            || Error::new(&codes::CONFIG_SECRET_KEY, "the key is not 64 hexadecimal characters");
        let text = text.trim();
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut key = [0; 32];
        for (i, byte) in key.iter_mut().enumerate() {
            let digits = text.get(2 * i..2 * i + 2).ok_or_else(wrong)?;
            if digits.starts_with('+') {
                return Err(wrong());
            }
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(key))
    }
}

/// Encrypts a password for a configuration file; the result differs each time.
pub fn encrypt(password: &str, key: &SecretKey) -> String {
    let mut iv = [0; IV];
    for half in iv.chunks_mut(8) {
        // The standard library seeds these from the system's randomness.
        half.copy_from_slice(&RandomState::new().build_hasher().finish().to_le_bytes());
    }
    let mut data = password.as_bytes().to_vec();
    cfb_mode::Encryptor::<aes::Aes256>::new(&key.0.into(), &iv.into()).encrypt(&mut data);
    let mut raw = iv.to_vec();
    raw.push(SEPARATOR);
    raw.append(&mut data);
    STANDARD.encode(raw)
}

/// Decrypts a password, with or without the marker `enc:` before it.
///
/// # Errors
///
/// 11050, 11047, 11048 when the text is not of the form; 20010 when what comes out is no text, which
/// means that the key is another one.
pub fn decrypt(text: &str, key: &SecretKey) -> Result<Secret> {
    let text = text.trim();
    let text = text.strip_prefix(MARKER).unwrap_or(text);
    // Neither the text nor the decoder's opinion of it is repeated: it may be a plain password.
    let raw = STANDARD
        .decode(text)
        .map_err(|_| Error::new(&codes::CIPHERTEXT_BASE64, "the text is not base64"))?;
    let (Some((iv, rest)), true) = (raw.split_first_chunk::<IV>(), raw.len() > IV) else {
        return Err(Error::new(&codes::CIPHERTEXT_SHORT, "the text is too short"));
    };
    let Some((&SEPARATOR, data)) = rest.split_first() else {
        return Err(Error::new(
            &codes::CIPHERTEXT_FORM,
            "the text lacks `@` after its first 16 bytes",
        ));
    };
    let mut data = data.to_vec();
    cfb_mode::Decryptor::<aes::Aes256>::new(&key.0.into(), &(*iv).into()).decrypt(&mut data);
    match String::from_utf8(data) {
        Ok(password) if !password.chars().any(char::is_control) => Ok(Secret::new(password)),
        _ => Err(Error::new(
            &codes::CONFIG_PASSWORD,
            "decrypting gives something that is no text; it was encrypted under another key",
        )),
    }
}

/// What a password in a configuration file is: DM decrypts what can be decrypted and takes everything else
/// as it stands.
///
/// # Errors
///
/// 20010 as for [`decrypt`]; with the marker `enc:` any of its errors.
pub(super) fn reveal(text: &str, key: &SecretKey) -> Result<Secret> {
    match decrypt(text, key) {
        Ok(password) => Ok(password),
        Err(e) if text.starts_with(MARKER) || e.code() == &codes::CONFIG_PASSWORD => Err(e),
        Err(_) => Ok(Secret::new(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: [&str; 2] =
        ["/Q7B9DizNLLTTfiZHv9WoEAKamfpIUs=", "VjX8cEeTX+qcvZ3bPaO4h0C80pe/1aU="];

    #[test]
    fn the_samples_of_dms_manual() {
        for sample in SAMPLES {
            assert_eq!(decrypt(sample, &SecretKey::built_in()).unwrap().expose(), "123456");
        }
    }

    #[test]
    fn another_key_is_an_error_and_not_a_password() {
        let key = SecretKey::from_hex(&"0f".repeat(32)).unwrap();
        for sample in SAMPLES {
            assert_eq!(reveal(sample, &key).unwrap_err().code().number, 20010);
        }
    }

    #[test]
    fn plain_passwords_stay() {
        let key = SecretKey::built_in();
        for plain in ["", "hunter2", "123456", "AAAA", "péage", "c2hvcnQ="] {
            assert_eq!(reveal(plain, &key).unwrap().expose(), plain);
        }
        assert_eq!(reveal("enc:hunter2", &key).unwrap_err().code().number, 11050);
        assert_eq!(reveal("enc:AAAA", &key).unwrap_err().code().number, 11047);
        let no_at = STANDARD.encode([0; 20]);
        assert_eq!(reveal(&format!("enc:{no_at}"), &key).unwrap_err().code().number, 11048);
        assert_eq!(reveal(&no_at, &key).unwrap().expose(), no_at);
    }

    #[test]
    fn keys() {
        let hex = " a529b7665997f043a30ac8fadcb51d6aa032c226ab5b7750530b12b8c1a16a48\n";
        assert_eq!(SecretKey::from_hex(hex).unwrap(), SecretKey::built_in());
        for wrong in ["", "a5", &"zz".repeat(32), &"+1".repeat(32)] {
            assert_eq!(SecretKey::from_hex(wrong).unwrap_err().code().number, 20067);
        }
        assert!(!format!("{:?}", SecretKey::built_in()).contains("a5"));
    }

    proptest::proptest! {
        #[test]
        fn what_is_encrypted_comes_back(password in "[^\\p{Cc}]{0,40}") {
            let key = SecretKey::from_hex(&"3c".repeat(32)).unwrap();
            let text = encrypt(&password, &key);
            let revealed = reveal(&text, &key).unwrap();
            proptest::prop_assert_eq!(revealed.expose(), password);
        }
    }
}
