//! A study with five hundred listeners to everything that happens, against one that nobody listens to
//! but the one who waits for its end. Listeners only take what they are sent: what they make of it
//! would be theirs.

use crate::house::{House, median};
use crate::overhead::study;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const LISTENERS: usize = 500;
const ROUNDS: usize = 5;

pub fn measure(is_short: bool) {
    let (rounds, epochs) = if is_short { (1, 5) } else { (ROUNDS, 60) };
    let house = House::new(&[]);
    let spec = study(16, epochs);
    house.run(&study(2, 1), 2);
    println!(
        "{:>12} {:>12} {:>9} {:>12}",
        "alone", "listened to", "more", "bytes each"
    );
    let mut more = Vec::new();
    for _ in 0..rounds {
        let alone = house.run(&spec, 2).took.as_secs_f64();
        let crowd = Crowd::gather(&house);
        let heard = house.run(&spec, 2).took.as_secs_f64();
        let bytes = crowd.leave();
        let percent = 100.0 * (heard / alone - 1.0);
        println!("{alone:>10.3} s {heard:>10.3} s {percent:>8.2}% {bytes:>12}");
        more.push(percent);
    }
    println!("{:+.2}% (goal: at most 5%), the median", median(more));
}

/// Listeners, all served by one thread.
struct Crowd {
    is_over: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Crowd {
    fn gather(house: &House) -> Self {
        let socket = house.home.socket();
        let mut streams: Vec<UnixStream> = (0..LISTENERS)
            .map(|_| {
                let mut stream = UnixStream::connect(&socket).unwrap();
                let ask = "GET /v1/events HTTP/1.1\r\nhost: attune\r\n\r\n";
                stream.write_all(ask.as_bytes()).unwrap();
                // Its answer has begun, so it is counted from here on.
                let mut head = [0; 15];
                stream.read_exact(&mut head).unwrap();
                assert_eq!(&head, b"HTTP/1.1 200 OK");
                stream.set_nonblocking(true).unwrap();
                stream
            })
            .collect();
        let (is_over, bytes) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (over, counted) = (Arc::clone(&is_over), Arc::clone(&bytes));
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0; 256 << 10];
            while !over.load(Ordering::Relaxed) {
                for stream in &mut streams {
                    while let Ok(length @ 1..) = stream.read(&mut buffer) {
                        counted.fetch_add(length as u64, Ordering::Relaxed);
                    }
                }
                // As a screen that is drawn four times a second.
                std::thread::sleep(Duration::from_millis(250));
            }
        });
        Crowd {
            is_over,
            bytes,
            thread,
        }
    }

    /// Gives how many bytes each was sent.
    fn leave(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.bytes.load(Ordering::Relaxed) / LISTENERS as u64
    }
}
