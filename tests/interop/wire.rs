//! What if the line between a client and the server goes dead in the middle, or stands still there?

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

/// A line to the server: it counts what goes over it, and may go dead or stand still.
pub struct Wire {
    near: SocketAddr,
    state: Arc<State>,
}

struct State {
    down: Way,
    up: Way,
    dead: AtomicBool,
    /// Each connection does once, when it has carried so many bytes down.
    stands_still_after: u64,
    /// By what those go on that stand still.
    standing: Mutex<Vec<Sender<()>>>,
}

/// One way of a line.
struct Way {
    bytes: AtomicU64,
    dies_after: u64,
}

impl Wire {
    /// A line that holds.
    pub fn to(server: SocketAddr) -> Self {
        Self::new(Way::that_holds(), Way::that_holds(), u64::MAX, server)
    }

    /// A line that goes dead, for this connection and all others, when so many bytes came down.
    pub fn that_dies_after(bytes: u64, server: SocketAddr) -> Self {
        let down = Way::that_dies_after(bytes);
        Self::new(down, Way::that_holds(), u64::MAX, server)
    }

    /// A line that goes dead, for this connection and all others, when so many bytes went up.
    pub fn that_dies_after_sending(bytes: u64, server: SocketAddr) -> Self {
        let up = Way::that_dies_after(bytes);
        Self::new(Way::that_holds(), up, u64::MAX, server)
    }

    /// A line of which each connection stands still when so many bytes came down it, until it is told to go on or
    /// its client is gone.
    pub fn that_stands_still_after(bytes: u64, server: SocketAddr) -> Self {
        Self::new(Way::that_holds(), Way::that_holds(), bytes, server)
    }

    fn new(down: Way, up: Way, stands_still_after: u64, server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = listener.local_addr().unwrap();
        let state = Arc::new(State {
            down,
            up,
            dead: AtomicBool::new(false),
            stands_still_after,
            standing: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shared.dead.load(Ordering::SeqCst) {
                    return;
                }
                join(&client, &TcpStream::connect(server).unwrap(), &shared);
            }
        });
        Self { near, state }
    }

    pub fn port(&self) -> u16 {
        self.near.port()
    }

    /// How many bytes came down from the server.
    pub fn down(&self) -> u64 {
        self.state.down.bytes.load(Ordering::SeqCst)
    }

    /// How many bytes went up to the server.
    pub fn up(&self) -> u64 {
        self.state.up.bytes.load(Ordering::SeqCst)
    }

    /// How many connections have stood still.
    pub fn standing(&self) -> usize {
        self.state.standing.lock().unwrap().len()
    }

    pub fn goes_on(&self) {
        for connection in &*self.state.standing.lock().unwrap() {
            connection.send(()).ok();
        }
    }
}

impl Way {
    fn that_holds() -> Self {
        Self::that_dies_after(u64::MAX)
    }

    fn that_dies_after(bytes: u64) -> Self {
        Self {
            bytes: AtomicU64::new(0),
            dies_after: bytes,
        }
    }
}

impl State {
    /// Counts what goes one way, and says whether the line takes it.
    fn takes(&self, way: &Way, bytes: u64) -> bool {
        let before = way.bytes.fetch_add(bytes, Ordering::SeqCst);
        let holds = before + bytes <= way.dies_after;
        self.dead.fetch_or(!holds, Ordering::SeqCst);
        holds
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.state.dead.store(true, Ordering::SeqCst);
        // The listener wakes up, sees that, and goes.
        drop(TcpStream::connect(self.near));
    }
}

fn join(client: &TcpStream, server: &TcpStream, state: &Arc<State>) {
    for stream in [client, server] {
        stream.set_nodelay(true).unwrap();
    }
    let (up, down) = (copy_of(client, server), copy_of(server, client));
    let (state, same) = (Arc::clone(state), Arc::clone(state));
    let (wake, woken) = channel();
    let gone = wake.clone();
    thread::spawn(move || {
        carry_up(up, |bytes| same.takes(&same.up, bytes));
        gone.send(()).ok();
    });
    thread::spawn(move || {
        let mut own = 0;
        carry_down(down, |bytes| {
            let holds = state.takes(&state.down, bytes);
            let still = state.stands_still_after;
            if (own..own + bytes).contains(&still) {
                state.standing.lock().unwrap().push(wake.clone());
                woken.recv().unwrap();
            }
            own += bytes;
            holds
        });
    });
}

fn copy_of(from: &TcpStream, to: &TcpStream) -> (TcpStream, TcpStream) {
    (from.try_clone().unwrap(), to.try_clone().unwrap())
}

/// Carries what a client says until it ends, or `holds` says that it is too much. What it says to a line that died
/// the other way is taken all the same: a refusal would make its system throw away what came down before and was
/// not read yet.
fn carry_up((mut client, mut server): (TcpStream, TcpStream), holds: impl Fn(u64) -> bool) {
    let mut block = vec![0; 64 * 1024];
    while let Ok(got @ 1..) = client.read(&mut block) {
        if !holds(got as u64) {
            break;
        }
        drop(server.write_all(&block[..got]));
    }
    for stream in [client, server] {
        drop(stream.shutdown(Shutdown::Both));
    }
}

/// Carries what comes down until it ends, or `holds` says that the line is dead.
fn carry_down(
    (mut server, mut client): (TcpStream, TcpStream),
    mut holds: impl FnMut(u64) -> bool,
) {
    let mut block = vec![0; 64 * 1024];
    while let Ok(got @ 1..) = server.read(&mut block) {
        if !holds(got as u64) || client.write_all(&block[..got]).is_err() {
            break;
        }
    }
    drop(server.shutdown(Shutdown::Both));
    drop(client.shutdown(Shutdown::Write));
}
