//! The whole service on what clouds run: messages in Redis, queues in a database on a server.
