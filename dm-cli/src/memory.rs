//! How the C library's allocator keeps freed memory.
//!
//! glibc takes large blocks straight from the system and gives them back when they are freed, but
//! moves the border of "large" up to whatever was freed last, at most 32 MiB. After the first row of
//! some MiB all others come out of its arenas, of which each thread may have one, and there they
//! stay: half of the memory that a run with large rows takes is memory that nobody uses. A border
//! that is set does not move. It can be set from outside only, so the program starts itself again.
//!
//! The same for the number of arenas, which by default is eight for each processor: what one thread
//! freed the next one does not find. A copy of 3,000 tables took 64 MiB with 16 arenas, 41 MiB with
//! two. As many as processors are enough that threads seldom wait for each other.

/// Starts the program again with a fixed border, once. Comes back when that is not possible or not
/// needed; everything works as well, with more memory.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back() {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    const LARGE: &str = "MALLOC_MMAP_THRESHOLD_";
    const TRIM: &str = "MALLOC_TRIM_THRESHOLD_";
    const ARENAS: &str = "MALLOC_ARENA_MAX";
    if std::env::var_os(LARGE).is_some() || std::env::var_os("GLIBC_TUNABLES").is_some() {
        return;
    }
    let (Ok(program), mut args) = (std::env::current_exe(), std::env::args_os()) else { return };
    let mut again = Command::new(program);
    if let Some(name) = args.next() {
        again.arg0(name);
    }
    if std::env::var_os(ARENAS).is_none() {
        let processors = std::thread::available_parallelism().map_or(2, |n| n.get().max(2));
        again.env(ARENAS, processors.to_string());
    }
    // Above the statements that are sent all the time, which would cost a system call each.
    let _failed = again.args(args).env(LARGE, "2097152").env(TRIM, "4194304").exec();
}

/// Other allocators give back what is freed.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
