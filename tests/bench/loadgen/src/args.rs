use clap::{Parser, ValueEnum};

/// One operation of a connection, repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// post a batch of messages
    Post,
    /// list a page, following the links to the end of the queue and beginning again
    List,
    /// post a batch, claim as many, delete each of them
    Cycle,
    /// claim a batch and keep it
    Claim,
    /// read a queue's metadata
    GetQueue,
    /// list a page of the project's queues, following the links to the last and beginning again
    ListQueues,
    /// read a queue's numbers of messages
    Stats,
    /// open connections (WebSocket), and let them wait
    Idle,
    /// one message to all connections (WebSocket): the time until the last has it
    Fanout,
    /// post on one connection to a queue that another is subscribed to (WebSocket): the time from answer to push
    Push,
}

/// Load on the REST API v2 or the WebSocket API of a server.
#[expect(clippy::struct_excessive_bools, reason = "these are flags of a command line")]
#[derive(Parser)]
pub struct Args {
    /// what each connection does again and again
    pub mode: Mode,
    /// host:port of the server
    #[arg(long, default_value = "127.0.0.1:8888")]
    pub addr: String,
    /// post, list, claim and cycle over WebSocket; the three modes of that API imply it
    #[arg(long)]
    pub websocket: bool,
    /// path of the WebSocket API
    #[arg(long, default_value = "/")]
    pub path: String,
    /// host:port that the mode push posts to, if not that of the subscribers
    #[arg(long)]
    pub post_addr: Option<String>,
    /// connections of the mode idle have a subscription each
    #[arg(long)]
    pub subscribe: bool,
    #[arg(long, default_value_t = 32)]
    pub conns: usize,
    /// end after this time
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// end after this many operations of each connection
    #[arg(long)]
    pub count: Option<u64>,
    /// messages in a post; limit of a list or claim
    #[arg(long, default_value_t = 1)]
    pub batch: usize,
    /// bytes of each message's body
    #[arg(long, default_value_t = 1024)]
    pub size: usize,
    /// queues that the connections spread over
    #[arg(long, default_value_t = 8)]
    pub queues: usize,
    /// operations per second of all connections together; without it each begins when the one before it ended
    #[arg(long)]
    pub rate: Option<f64>,
    /// list without the client's own messages: all that a run has posted is looked over, and the page stays empty
    #[arg(long)]
    pub no_echo: bool,
    /// each operation of a connection goes to the next queue
    #[arg(long)]
    pub rotate: bool,
    /// the queues are there, with what they are to hold
    #[arg(long)]
    pub as_is: bool,
    /// start of the queues' names
    #[arg(long, default_value = "load")]
    pub prefix: String,
    /// seconds that messages live
    #[arg(long, default_value_t = 300)]
    pub ttl: u64,
    /// seconds that claims live
    #[arg(long, default_value_t = 300)]
    pub claim_ttl: u64,
    /// a further header of every request, "Name: value"
    #[arg(long)]
    pub header: Vec<String>,
    /// processes whose CPU time and memory to account, with commas between
    #[arg(long, value_delimiter = ',')]
    pub pids: Vec<u32>,
    #[arg(long, default_value = "load-project")]
    pub project: String,
    /// print a JSON object
    #[arg(long)]
    pub json: bool,
}
