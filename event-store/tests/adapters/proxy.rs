use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A place between the store and the server where the line can be cut.
pub(crate) struct Proxy {
    port: u16,
    cuts: Arc<Cuts>,
}

struct Cuts {
    /// Rises whenever every connection is to be dropped.
    dropped: watch::Sender<u64>,
    /// New connections are dropped at once.
    down: AtomicBool,
    /// The next answer that the server gives to a batch is not passed on, and its connection is dropped.
    swallow: AtomicBool,
}

impl Proxy {
    /// Listens on a free port and passes everything on to `server` (`host:port`).
    pub(crate) async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cuts = Arc::new(Cuts { dropped: watch::Sender::new(0), down: AtomicBool::new(false), swallow: AtomicBool::new(false) });
        let shared = cuts.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !shared.down.load(Ordering::SeqCst) {
                    tokio::spawn(pass(client, server.clone(), shared.clone()));
                }
            }
        });
        Self { port, cuts }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The server seems gone: connections end, new ones too.
    pub(crate) fn go_down(&self) {
        self.cuts.down.store(true, Ordering::SeqCst);
        self.cuts.dropped.send_modify(|count| *count += 1);
    }

    /// The server is back.
    pub(crate) fn come_up(&self) {
        self.cuts.down.store(false, Ordering::SeqCst);
    }

    /// The server does the next batch, but its answer is lost with the connection.
    pub(crate) fn swallow_next_answer(&self) {
        self.cuts.swallow.store(true, Ordering::SeqCst);
    }
}

async fn pass(mut client: TcpStream, server: String, cuts: Arc<Cuts>) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let mut dropped = cuts.dropped.subscribe();
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    // A batch is known by the function's name in the statement or, once that is prepared, by its many bytes.
    let mut batch = false;
    loop {
        tokio::select! {
            _ = dropped.changed() => return,
            read = client.read(&mut up) => match read {
                Ok(count) if count > 0 => {
                    batch = count > 500;
                    if server.write_all(&up[..count]).await.is_err() { return }
                }
                _ => return,
            },
            read = server.read(&mut down) => match read {
                Ok(count) if count > 0 => {
                    if batch && cuts.swallow.swap(false, Ordering::SeqCst) { return }
                    if client.write_all(&down[..count]).await.is_err() { return }
                }
                _ => return,
            },
        }
    }
}
