use std::time::Duration;

use redis::Cmd;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::JoinSet;

use super::*;

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(10);

/// A link and the server's end of it, between which `bytes` may be on their way.
fn pair(bytes: usize) -> (Arc<Link>, DuplexStream) {
    let (ours, theirs) = duplex(bytes);
    (Arc::new(Link::new(Box::new(ours))), theirs)
}

fn echo(text: &str) -> Cmd {
    let mut command = redis::cmd("ECHO");
    command.arg(text);
    command
}

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// Reads exactly what the commands are on the wire.
async fn expect(server: &mut DuplexStream, commands: &[&Cmd]) {
    for command in commands {
        let expected = command.get_packed_command();
        let mut found = vec![0; expected.len()];
        server.read_exact(&mut found).await.unwrap();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn callers_get_their_own_answers() {
    let (link, mut server) = pair(1 << 16);
    let mut callers = JoinSet::new();
    for n in 0..100 {
        let link = Arc::clone(&link);
        callers.spawn(async move {
            let text = format!("{n:03}");
            let answer = link.exchange(Request::new(&echo(&text)), soon()).await.unwrap();
            assert_eq!(answer.reply, Ok(Value::BulkString(text.into())));
        });
    }
    // Answers each command with its last word.
    let length = echo("000").get_packed_command().len();
    for _ in 0..100 {
        let mut command = vec![0; length];
        server.read_exact(&mut command).await.unwrap();
        server.write_all(&command[length - 9..]).await.unwrap();
    }
    callers.join_all().await;
}

#[tokio::test]
async fn commands_that_go_together_stay_together() {
    let (link, mut server) = pair(1 << 16);
    let (asking, command, wait) = (redis::cmd("ASKING"), echo("x"), redis::cmd("WAIT"));
    let serve = async {
        expect(&mut server, &[&asking, &command, &wait]).await;
        server.write_all(b"-ERR ignored\r\n:1\r\n").await.unwrap();
        server.write_all(b":2\r\n").await.unwrap();
    };
    let request = Request { before: Some(&asking), command: &command, after: Some(&wait) };
    let (answer, ()) = tokio::join!(link.exchange(request, soon()), serve);
    let answer = answer.unwrap();
    assert_eq!((answer.reply, answer.after), (Ok(Value::Int(1)), Some(Ok(Value::Int(2)))));
}

#[tokio::test]
async fn the_end_tells_what_was_sent() {
    // The first command fills the way, so that the second is not even begun.
    let (link, mut server) = pair(64);
    let (long, short) = (echo(&"x".repeat(1000)), echo("y"));
    let calls = async {
        tokio::join!(link.exchange(Request::new(&long), soon()), async {
            server.read_u8().await.unwrap();
            link.exchange(Request::new(&short), soon()).await
        },)
    };
    let end = async {
        while link.shared.lock().waiting.len() < 2 {
            tokio::task::yield_now().await;
        }
        link.end("over");
    };
    let ((first, second), ()) = tokio::join!(calls, end);
    assert!(matches!(first, Err(Failure::Lost(_))), "{first:?}");
    assert!(matches!(second, Err(Failure::NotSent(_))), "{second:?}");
    let third = link.exchange(Request::new(&short), soon()).await;
    assert!(matches!(third, Err(Failure::NotSent(_))), "{third:?}");
    assert!(!link.is_alive());
}

#[tokio::test]
async fn a_closed_connection_is_noticed_before_it_is_used() {
    let (link, server) = pair(64);
    drop(server);
    while link.is_alive() {
        tokio::task::yield_now().await;
    }
    let answer = link.exchange(Request::new(&echo("x")), soon()).await;
    assert!(matches!(answer, Err(Failure::NotSent(_))), "{answer:?}");
}

#[tokio::test]
async fn silence_ends_a_connection_and_slowness_does_not() {
    let (link, mut server) = pair(1 << 16);
    let (first, second) = (echo("1"), echo("2"));
    let late = Instant::now() + Duration::from_millis(500);
    let serve = async {
        expect(&mut server, &[&first, &second]).await;
        server.write_all(b":1\r\n").await.unwrap();
    };
    let calls = async {
        tokio::join!(link.exchange(Request::new(&first), soon()), link.exchange(Request::new(&second), late))
    };
    let ((one, two), ()) = tokio::join!(calls, serve);
    assert_eq!(one.unwrap().reply, Ok(Value::Int(1)));
    assert!(matches!(two, Err(Failure::Late)), "{two:?}");
    assert!(link.is_alive(), "others were answered meanwhile");
    // The late answer goes to nobody, the next one to whom it belongs.
    server.write_all(b":2\r\n").await.unwrap();
    let serve = async {
        expect(&mut server, &[&first]).await;
        server.write_all(b":3\r\n").await.unwrap();
    };
    let (three, ()) = tokio::join!(link.exchange(Request::new(&first), soon()), serve);
    assert_eq!(three.unwrap().reply, Ok(Value::Int(3)));
    let four = link.exchange(Request::new(&second), Instant::now() + Duration::from_millis(20)).await;
    assert!(matches!(four, Err(Failure::Late)), "{four:?}");
    assert!(!link.is_alive(), "nothing was answered");
}

#[tokio::test]
async fn what_waits_for_an_answer_is_bounded() {
    let (link, mut server) = pair(1 << 16);
    let command = echo(&"x".repeat(1 << 20));
    let fitting = ROOM as usize / 1025;
    let mut callers = JoinSet::new();
    for _ in 0..2 * fitting {
        let (link, command) = (Arc::clone(&link), command.clone());
        callers.spawn(async move { link.exchange(Request::new(&command), soon()).await });
    }
    expect(&mut server, &vec![&command; fitting]).await;
    assert_eq!(link.shared.lock().waiting.len(), fitting);
    // Each answer makes room for one more.
    server.write_all(b":1\r\n").await.unwrap();
    expect(&mut server, &[&command]).await;
    link.end("over");
    let mut rest = Vec::new();
    server.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "{}", rest.len());
    let answers = callers.join_all().await;
    let count = |kind: fn(&Result<Answer, Failure>) -> bool| answers.iter().filter(|one| kind(one)).count();
    assert_eq!(count(Result::is_ok), 1);
    assert_eq!(count(|one| matches!(one, Err(Failure::Lost(_)))), fitting);
    assert_eq!(count(|one| matches!(one, Err(Failure::NotSent(_)))), fitting - 1);
}

#[tokio::test]
async fn an_answer_without_a_question_ends_the_connection() {
    let (link, mut server) = pair(64);
    server.write_all(b":1\r\n").await.unwrap();
    while link.is_alive() {
        tokio::task::yield_now().await;
    }
}
