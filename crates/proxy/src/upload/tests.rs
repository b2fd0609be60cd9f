use std::io;

use http::HeaderValue;
use http_body_util::channel::{Channel, Sender};
use http_body_util::{Empty, Full};

use super::*;
use crate::room::room;

const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b--\r\n";

fn headers(content_types: &[&'static str]) -> HeaderMap {
    let pair = |value: &&'static str| (CONTENT_TYPE, HeaderValue::from_static(value));
    content_types.iter().map(pair).collect()
}

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

async fn say(sender: &mut Sender<Bytes>, bytes: usize) {
    sender.send_data(Bytes::from(vec![b'x'; bytes])).await.expect("the reader is there");
}

fn code(error: &ProxyError) -> String {
    format!("{error:?}").split([' ', '(']).next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_form_is_read_and_kept_at_once() {
    let form = headers(&["multipart/form-data; boundary=b"]);
    let (spool, peek) =
        read_form(Full::from(FORM), &form, None, (&Settings::default(), &room())).await.unwrap();
    assert_eq!(spool.len(), FORM.len() as u64);
    assert_eq!(peek.model.unwrap().0, "m");
}

#[tokio::test]
async fn a_form_whose_frame_is_in_doubt_is_refused_with_the_reason() {
    let good = "multipart/form-data; boundary=b";
    for (types, body, why) in [
        (&[good, good][..], FORM, "is given twice"),
        (&[], FORM, "is missing"),
        (&["multipart/form-data"], FORM, "has no boundary"),
        (&[good], "nothing", "does not begin with its boundary"),
        (&[good], "--b", "without its closing boundary"),
    ] {
        let error = read_form(Full::from(body), &headers(types), None, (&Settings::default(), &room()))
            .await
            .unwrap_err();
        assert_eq!(code(&error), "BadForm");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_it_is_announced_or_not() {
    let settings = settings(|settings| settings.proxy.max_upload_bytes = 10);
    assert_eq!(read_unseen(Full::from("0123456789"), (&settings, &room())).await.unwrap().len(), 10);
    assert_eq!(read_unseen(Empty::new(), (&settings, &room())).await.unwrap().len(), 0);
    let error = read_unseen(Full::from("0123456789a"), (&settings, &room())).await.unwrap_err();
    assert!(error.to_string().contains("(proxy.max_upload_bytes)"), "{error}");

    let (mut sender, body) = Channel::<Bytes>::new(4);
    say(&mut sender, 6).await;
    say(&mut sender, 6).await;
    assert_eq!(code(&read_unseen(body, (&settings, &room())).await.unwrap_err()), "BodyTooLarge");
}

#[tokio::test]
async fn an_upload_that_moves_may_take_longer_than_the_time_for_a_body() {
    let settings = settings(|settings| settings.server.body_timeout = Duration::from_millis(20));
    let (room, (mut sender, body)) = (room(), Channel::<Bytes>::new(1));
    let send = async move {
        say(&mut sender, 2 << 16).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        say(&mut sender, 1).await;
    };
    let (read, ()) = tokio::join!(read_unseen(body, (&settings, &room)), send);
    assert_eq!(read.unwrap().len(), (2 << 16) + 1);
}

#[tokio::test]
async fn an_upload_that_trickles_is_cut_off_by_the_time_for_a_body() {
    let settings = settings(|settings| settings.server.body_timeout = Duration::from_millis(100));
    let (room, (mut sender, body)) = (room(), Channel::<Bytes>::new(1));
    let trickle = async move {
        while sender.send_data(Bytes::from_static(b"x")).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (read, ()) = tokio::join!(read_unseen(body, (&settings, &room)), trickle);
    assert_eq!(code(&read.unwrap_err()), "BodyTimeout");
}

#[tokio::test]
async fn an_upload_that_falls_silent_is_cut_off() {
    let settings = settings(|settings| settings.server.read_timeout = Duration::from_millis(20));
    let (mut sender, body) = Channel::<Bytes>::new(1);
    say(&mut sender, 1 << 20).await;
    assert_eq!(code(&read_unseen(body, (&settings, &room())).await.unwrap_err()), "BodyTimeout");
}

#[test]
fn a_full_disk_is_told_from_a_broken_one_and_both_from_too_many_open_files() {
    assert_eq!(code(&lost(&io::ErrorKind::StorageFull.into())), "DiskFull");
    assert_eq!(code(&lost(&io::ErrorKind::QuotaExceeded.into())), "DiskFull");
    assert_eq!(code(&lost(&io::ErrorKind::PermissionDenied.into())), "DiskBroken");
    assert_eq!(code(&lost(&gateway_health::out_of_files())), "NoFile");
}
