//! What /proc tells about the server's processes.

use std::fs;

/// The kernel reports CPU time in 1/100 s, whatever its own tick.
const MICROS_PER_TICK: u64 = 10_000;

/// CPU time that the processes have used so far, in microseconds. One that is gone counts as 0.
pub fn cpu_micros(pids: &[u32]) -> u64 {
    pids.iter().map(|pid| cpu_ticks(*pid).unwrap_or(0) * MICROS_PER_TICK).sum()
}

fn cpu_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold blanks; utime and stime are the 12th and 13th field after it.
    let mut fields = stat.rsplit(") ").next()?.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident memory of the processes together, in KiB.
pub fn resident_kib(pids: &[u32]) -> u64 {
    pids.iter().filter_map(|pid| process_kib(*pid)).sum()
}

fn process_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
