//! The master key, and what it seals.
//!
//! Channel keys must come back in clear, because upstreams want them, so they are encrypted (ChaCha20-Poly1305).
//! What is sealed is bound to its place (`channel:<id>`): a blob copied onto another row does not open. Gateway keys
//! need not come back and are only hashed, in `keys`.

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use sha2::{Digest, Sha256};

use crate::{Result, StorageError};

mod encoding;

use encoding::{from_base64, from_hex, to_hex};

/// The key that encrypts the channels' keys. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct MasterKey([u8; KEY_BYTES]);

/// A master key at work.
pub(crate) struct Sealer {
    cipher: ChaCha20Poly1305,
    id: [u8; ID_BYTES],
}

const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
/// The first byte of everything sealed, so that another way of sealing can be told from this one.
const FORMAT: u8 = 1;
/// Shorter passphrases are refused: this is the only thing between a stolen file and the upstream accounts.
const MIN_PASSPHRASE_CHARS: usize = 16;

// === impl MasterKey ===

impl MasterKey {
    /// Reads a key from text: 32 bytes as 64 hexadecimal digits or as Base64, or else any passphrase of at least 16
    /// characters. White space around it does not count.
    pub fn from_text(text: &str) -> Result<Self> {
        let text = text.trim();
        if let Some(key) = from_hex(text).or_else(|| from_base64(text)) {
            return Ok(Self(key));
        }
        if text.chars().count() < MIN_PASSPHRASE_CHARS {
            return Err(StorageError::BadMasterKey {
                reason: format!(
                    "neither 32 bytes as hexadecimal or Base64 nor a passphrase of at least {MIN_PASSPHRASE_CHARS} \
                     characters"
                ),
            });
        }
        Ok(Self(labelled("openai-gateway master key from passphrase", text.as_bytes())))
    }

    /// Reads the key in `file`, or makes a random one and keeps it there, readable by the owner alone.
    pub fn load_or_create(file: &Path) -> Result<Self> {
        match fs::read_to_string(file) {
            Ok(text) => {
                warn_if_open_to_others(file);
                Self::from_text(&text).map_err(|_| StorageError::BadMasterKey {
                    reason: format!("{} holds no usable key", file.display()),
                })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Self::create(file),
            Err(error) => Err(StorageError::file("cannot read the master key file", file, &error)),
        }
    }

    /// Writes beside the place and then links into it, so that nobody ever reads half a key and two gateways that
    /// start together end with the same one.
    fn create(file: &Path) -> Result<Self> {
        let failed = |error| StorageError::file("cannot make the master key file", file, &error);
        let folder = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;

        let mut key = [0; KEY_BYTES];
        fill_random(&mut key)?;
        let draft = folder.join(format!(".master-key-{}", to_hex(&random::<8>()?)));
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(
            |mut handle| {
                handle.write_all(to_hex(&key).as_bytes())?;
                handle.write_all(b"\n")?;
                handle.sync_all()
            },
        );
        let linked = written.and_then(|()| fs::hard_link(&draft, file));
        let removed = fs::remove_file(&draft);
        match linked {
            Ok(()) => {
                removed.map_err(failed)?;
                // The key must not be lost with the folder entry once something is sealed with it.
                fs::File::open(folder).and_then(|handle| handle.sync_all()).map_err(failed)?;
                Ok(Self(key))
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::load_or_create(file),
            Err(error) => Err(failed(error)),
        }
    }

    /// What a database remembers to recognise its key by.
    fn id(&self) -> [u8; ID_BYTES] {
        let digest = labelled("openai-gateway master key id", &self.0);
        let mut id = [0; ID_BYTES];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        id
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

// === impl Sealer ===

impl Sealer {
    pub(crate) fn new(key: &MasterKey) -> Self {
        Self { cipher: ChaCha20Poly1305::new(&key.0.into()), id: key.id() }
    }

    /// The key's id, for people and for the `meta` table.
    pub(crate) fn key_id(&self) -> String {
        to_hex(&self.id)
    }

    /// Encrypts `clear` for one place: format, key id, nonce, then cipher text with its tag.
    pub(crate) fn seal(&self, place: &str, clear: &str) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_BYTES] = random()?;
        let payload = Payload { msg: clear.as_bytes(), aad: place.as_bytes() };
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| StorageError::Io { detail: "encryption failed".to_owned() })?;
        let mut blob = Vec::with_capacity(1 + ID_BYTES + NONCE_BYTES + sealed.len());
        blob.push(FORMAT);
        blob.extend_from_slice(&self.id);
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(&sealed);
        Ok(blob)
    }

    /// Decrypts what was sealed for this place.
    pub(crate) fn unseal(&self, place: &str, blob: &[u8]) -> Result<String> {
        let broken =
            || StorageError::Corrupt { detail: format!("the secret of {place} cannot be decrypted") };
        let (&format, rest) = blob.split_first().ok_or_else(broken)?;
        let (id, rest) = rest.split_at_checked(ID_BYTES).ok_or_else(broken)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES).ok_or_else(broken)?;
        if format != FORMAT {
            return Err(broken());
        }
        if id != self.id {
            return Err(StorageError::WrongMasterKey { expected: to_hex(id), given: self.key_id() });
        }
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| broken())?;
        let payload = Payload { msg: sealed, aad: place.as_bytes() };
        let clear = self.cipher.decrypt(&Nonce::from(nonce), payload).map_err(|_| broken())?;
        String::from_utf8(clear).map_err(|_| broken())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({})", self.key_id())
    }
}

/// SHA-256 for one purpose only: the label keeps digests of different purposes apart.
fn labelled(label: &str, data: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(label).chain_update([0]).chain_update(data).finalize().into()
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fill_random(&mut bytes)?;
    Ok(bytes)
}

fn fill_random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| StorageError::Io { detail: format!("no random numbers: {error}") })
}

/// Mounted secrets are often readable by a group, so this is not refused.
fn warn_if_open_to_others(file: &Path) {
    if let Ok(found) = fs::metadata(file)
        && found.permissions().mode() & 0o077 != 0
    {
        tracing::warn!(file = %file.display(), "the master key file can be read by others: chmod 600 it");
    }
}

#[cfg(test)]
mod tests;
