//! Builds the web pages in: every file of `ui/` that is for browsers, as it is and packed, under one folder whose name
//! is a hash over all of them. Needs nothing but this crate's sources.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use sha2::{Digest, Sha256};

#[path = "src/ui/comments.rs"]
mod comments;
#[path = "src/ui/kinds.rs"]
mod kinds;

/// The page, in which this stands for the folder of all the others.
const PAGE: &str = "index.html";
const FOLDER: &str = "{{ui}}";

/// A file that is built in.
struct File {
    /// Below `ui/`, with slashes.
    path: String,
    content: Vec<u8>,
}

fn main() -> io::Result<()> {
    tell_cargo("rerun-if-changed=ui")?;
    tell_cargo("rerun-if-changed=src/ui/comments.rs")?;
    tell_cargo("rerun-if-changed=src/ui/kinds.rs")?;
    let mut files = Vec::new();
    collect(Path::new("ui"), Path::new("ui"), &mut files)?;
    files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    let folder = format!("/ui/{}", short(&hash_of_all(&files)));

    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let mut page = None;
    let mut table = String::new();
    for (number, mut file) in files.into_iter().enumerate() {
        let is_page = file.path == PAGE;
        if is_page {
            file.content = String::from_utf8_lossy(&file.content).replace(FOLDER, &folder).into_bytes();
        }
        let row = write_out(&out, number, &file)?;
        if is_page {
            page = Some(row);
        } else {
            writeln!(table, "    {row},").map_err(io::Error::other)?;
        }
    }
    let page = page.ok_or_else(|| io::Error::other("ui/index.html is missing"))?;
    let code = format!(
        "pub(super) static FOLDER: &str = {folder:?};\n\
         pub(super) static PAGE: Asset = {page};\n\
         pub(super) static FILES: &[Asset] = &[\n{table}];\n"
    );
    fs::write(out.join("assets.rs"), code)
}

fn tell_cargo(what: &str) -> io::Result<()> {
    writeln!(io::stdout(), "cargo::{what}")
}

/// All files below a folder that are for browsers.
fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
            continue;
        }
        let below = path.strip_prefix(root).map_err(io::Error::other)?;
        let below: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        let below = below.join("/");
        if kinds::content_type(&below).is_some() {
            let content = for_browsers(&below, fs::read(&path)?)?;
            files.push(File { path: below, content });
        }
    }
    Ok(())
}

/// A file as browsers get it.
fn for_browsers(path: &str, content: Vec<u8>) -> io::Result<Vec<u8>> {
    let Some(language) = comments::language_of(path) else { return Ok(content) };
    let text = String::from_utf8(content).map_err(io::Error::other)?;
    Ok(comments::without_comments(&text, language).into_bytes())
}

fn hash_of_all(files: &[File]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.path.as_bytes());
        hash.update([0]);
        hash.update((file.content.len() as u64).to_be_bytes());
        hash.update(&file.content);
    }
    hash.finalize().into()
}

/// Writes a file and its packed form, and gives the expression that includes both. A file that packing does not make
/// smaller has no packed form.
fn write_out(out: &Path, number: usize, file: &File) -> io::Result<String> {
    let mut packed = Vec::new();
    zopfli::compress(zopfli::Options::default(), zopfli::Format::Gzip, &*file.content, &mut packed)?;
    let plain = include(out, format!("{number}.plain"), &file.content)?;
    let gzip = if packed.len() < file.content.len() {
        format!("Some({})", include(out, format!("{number}.gz"), &packed)?)
    } else {
        "None".to_owned()
    };
    let kind = kinds::content_type(&file.path).unwrap_or_default();
    let tag = short(&Sha256::digest(&file.content).into());
    let path = &file.path;
    Ok(format!("Asset {{ path: {path:?}, kind: {kind:?}, tag: {tag:?}, plain: {plain}, gzip: {gzip} }}"))
}

/// Leaves a content where the crate finds it, and gives the expression that finds it.
fn include(out: &Path, name: String, content: &[u8]) -> io::Result<String> {
    let expression = format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}\"))");
    fs::write(out.join(name), content)?;
    Ok(expression)
}

/// 64 bits are enough to tell versions apart.
fn short(hash: &[u8; 32]) -> String {
    hash.iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
