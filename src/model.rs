//! The vocabulary of the service: plain values without I/O.

pub mod checksum;
pub mod claim;
pub mod iso8601;
pub mod json;
pub mod limits;
pub mod marker;
pub mod message;
pub mod metadata;
pub mod patch;
pub mod pool;
pub mod project;
pub mod queue;
pub mod subscription;

pub use claim::{Claim, ClaimId};
pub use limits::{Defaults, Limits};
pub use marker::Marker;
pub use message::{ClientId, Cursor, Message, MessageId, NewMessage, Position};
pub use metadata::Metadata;
pub use pool::{Capability, Flavor, Pool, PoolName};
pub use project::ProjectId;
pub use queue::{Epoch, QueueName, QueueRef};
pub use subscription::{Subscription, SubscriptionId};
