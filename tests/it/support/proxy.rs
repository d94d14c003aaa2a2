//! A TCP proxy that delays, stalls or cuts what passes through it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of the bytes on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// They pass.
    None,
    /// Answers come that much later.
    Delay(Duration),
    /// Nothing passes; connections stay open and new ones are taken.
    Stall,
    /// Commands pass; answers are thrown away and the connection is closed with the first of them.
    CutAnswers,
    /// Connections are closed, new ones too.
    Cut,
    /// Connections that were there pass nothing more and stay open, new ones pass: what a firewall that forgot them does.
    Strand,
}

/// A running proxy; it ends when this is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    fault: watch::Sender<Fault>,
    /// Bytes that went to the server.
    forth: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// A proxy in front of that port of 127.0.0.1.
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (fault, seen) = watch::channel(Fault::None);
        let forth = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, port, seen, Arc::clone(&forth)));
        Self { address, fault, forth, _tasks: tasks }
    }

    /// From now on.
    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Closes every connection, waits until none is left, and lets new ones pass.
    pub(crate) async fn cut(&self) {
        self.set(Fault::Cut);
        // Each connection holds a receiver, and so does the task that takes new ones.
        while self.fault.receiver_count() > 1 {
            tokio::task::yield_now().await;
        }
        self.set(Fault::None);
    }

    /// How many bytes went to the server.
    pub(crate) fn forth(&self) -> u64 {
        self.forth.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, port: u16, fault: watch::Receiver<Fault>, forth: Arc<AtomicU64>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        connections.spawn(carry(client, port, fault.clone(), Arc::clone(&forth)));
        while connections.try_join_next().is_some() {}
    }
}

/// Carries one connection until an end closes it or it is cut.
async fn carry(client: TcpStream, port: u16, mut fault: watch::Receiver<Fault>, forth: Arc<AtomicU64>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let (mut seen, is_new) = (fault.clone(), *fault.borrow() == Fault::Strand);
    let ends = |fault: &Fault| *fault == Fault::Cut || *fault == Fault::Strand && !is_new;
    tokio::select! {
        () = to(&mut from_client, &mut to_server, fault.clone(), &forth) => {}
        () = back(&mut from_server, &mut to_client, fault.clone()) => {}
        _ = seen.wait_for(ends) => {}
    }
    if !is_new {
        // Open, and out of use.
        let _ = seen.wait_for(|fault| *fault != Fault::Strand).await;
    }
    fault.mark_unchanged();
}

async fn to(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut fault: watch::Receiver<Fault>,
    sum: &AtomicU64,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        // A proxy that stalls reads nothing, so that the sender's socket fills too.
        let _ = fault.wait_for(|fault| *fault != Fault::Stall).await;
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        let _ = fault.wait_for(|fault| *fault != Fault::Stall).await;
        sum.fetch_add(length as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn back(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, mut fault: watch::Receiver<Fault>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        let _ = fault.wait_for(|fault| *fault != Fault::Stall).await;
        let now = *fault.borrow();
        match now {
            Fault::Delay(time) => tokio::time::sleep(time).await,
            Fault::CutAnswers => return,
            Fault::None | Fault::Stall | Fault::Cut | Fault::Strand => {}
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
