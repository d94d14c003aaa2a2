//! Faults: killed processes, full disks, crowds of clients, signals, bad starts.

mod crowd;
mod disk;
mod kill;
mod start;
mod stop;
