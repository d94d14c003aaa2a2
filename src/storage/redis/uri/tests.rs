use secrecy::ExposeSecret;

use super::*;

fn parse(text: &str) -> Uri {
    Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn at(host: &str, port: u16) -> Address {
    Address { host: host.into(), port }
}

fn who(credentials: &Credentials) -> (Option<&str>, Option<&str>) {
    (credentials.user.as_deref(), credentials.password.as_ref().map(ExposeSecret::expose_secret))
}

#[test]
fn one_server() {
    for (text, host, port) in [
        ("redis://127.0.0.1", "127.0.0.1", 6379),
        ("redis://localhost:6380", "localhost", 6380),
        ("redis://localhost:/", "localhost", 6379),
        ("REDIS://localhost/9f0c3e1e-58d9", "localhost", 6379),
        ("redis://u:p@h:1?dbid=3", "h", 1),
        ("redis://[::1]", "::1", 6379),
        ("redis://:p@[fe80::1]:7000/x?y=z#f", "fe80::1", 7000),
    ] {
        assert_eq!(parse(text).deployment, Deployment::Server(at(host, port)), "{text}");
    }
}

#[test]
fn a_socket() {
    for (text, path, password) in [
        ("redis:///tmp/r.sock", "/tmp/r.sock", None),
        ("redis:/tmp/r.sock?dbid=1", "/tmp/r.sock", None),
        ("redis://:secret@/tmp/r.sock", "/tmp/r.sock", Some("secret")),
    ] {
        let uri = parse(text);
        assert_eq!(uri.deployment, Deployment::Socket(path.into()), "{text}");
        assert_eq!(who(&uri.credentials), (None, password), "{text}");
    }
}

#[test]
fn sentinels() {
    let uri = parse("redis://u:p@a,b:27000,[::1]?master=m&sentinel_username=s&sentinel_password=t+%2B");
    let sentinels = vec![at("a", 26379), at("b", 27000), at("::1", 26379)];
    assert_eq!(uri.deployment, Deployment::Sentinel { sentinels, master: "m".into() });
    assert_eq!(who(&uri.credentials), (Some("u"), Some("p")));
    assert_eq!(who(&uri.sentinel_credentials), (Some("s"), Some("t +")));
}

#[test]
fn a_cluster() {
    let uri = parse("rediss://a,b:7001?cluster=true&ssl_ca_certs=/ca.pem&ssl_certfile=/c&ssl_keyfile=/k");
    assert_eq!(uri.deployment, Deployment::Cluster(vec![at("a", 6379), at("b", 7001)]));
    let tls = uri.tls.unwrap();
    assert_eq!(tls.authorities, Some("/ca.pem".into()));
    assert_eq!(tls.identity, Some(("/c".into(), "/k".into())));
}

#[test]
fn users_and_passwords_are_decoded() {
    for (text, user, password) in [
        ("redis://us%40er:p%3A%2F%3F%23%25w@h", Some("us@er"), Some("p:/?#%w")),
        ("redis://u:a:b@c@h", Some("u"), Some("a:b@c")),
        ("redis://:p%C3%A4ss@h", None, Some("päss")),
        ("redis://:100%@h", None, Some("100%")),
        ("redis://h", None, None),
    ] {
        assert_eq!(who(&parse(text).credentials), (user, password), "{text}");
    }
}

#[test]
fn deadlines() {
    for (option, seconds) in
        [("", 2.0), ("socket_timeout=0.1", 2.0), ("socket_timeout=0.5", 0.5), ("socket_timeout=1e9", 60.0)]
    {
        let timeout = parse(&format!("redis://h?{option}")).timeout;
        assert_eq!(timeout, Duration::from_secs_f64(seconds), "{option}");
    }
}

#[test]
fn replicas_that_confirm() {
    assert_eq!(parse("redis://h?wait_replicas=0").confirmation, None);
    let second = Duration::from_secs(1);
    let wanted = Confirmation { replicas: 2, timeout: second };
    assert_eq!(parse("redis://h?wait_replicas=2").confirmation, Some(wanted));
    let wanted = Confirmation { replicas: 1, timeout: second / 10 };
    assert_eq!(parse("redis://h?wait_replicas=1&wait_timeout=100").confirmation, Some(wanted));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (text, error) in [
        ("", UriError::Scheme),
        ("s3cret", UriError::Scheme),
        ("mongodb://s3cret@h", UriError::Scheme),
        ("redis://s3cret@h", UriError::Password),
        ("redis://s3cret:@h", UriError::Password),
        ("redis://a,b?sentinel_username=s3cret&master=m", UriError::Password),
        ("redis://:s3cret%FF@h", UriError::Text),
        ("redis://", UriError::Nowhere),
        ("redis:", UriError::Nowhere),
        ("redis://u:s3cret@h:port", UriError::Host),
        ("redis://u:s3cret@h:65536", UriError::Host),
        ("redis://[::1", UriError::Host),
        ("redis://a,,b?master=m", UriError::Host),
        ("redis://?master=m", UriError::Host),
        ("redis://u:s3cret@a,b", UriError::Several),
        ("redis://a?master=m&cluster=true", UriError::Conflict("master with cluster=true")),
        ("redis://a?cluster=1&dbid=1", UriError::Conflict("cluster=true with a dbid")),
        ("rediss:///s3cret.sock", UriError::Conflict("TLS with a Unix socket")),
        ("redis://h?dbid=-1", UriError::Value("dbid")),
        ("redis://h?dbid=s3cret", UriError::Value("dbid")),
        ("redis://h?socket_timeout=nan", UriError::Value("socket_timeout")),
        ("redis://h?cluster=maybe", UriError::Value("cluster")),
        ("redis://h?wait_replicas=1&wait_timeout=0", UriError::Value("wait_timeout")),
        ("redis://h?wait_replicas=1&wait_timeout=2000", UriError::Value("wait_timeout")),
    ] {
        let found = Uri::parse(text).expect_err(text);
        assert_eq!(found, error, "{text}");
        assert!(!format!("{found} {found:?}").contains("s3cret"), "{found:?}");
    }
}

#[test]
fn nothing_printed_repeats_a_password() {
    let uri = parse("redis://us3r:s3cret@a?master=m&sentinel_password=s3cret&sentinel_username=x");
    assert_eq!(uri.to_string(), "redis://a:26379?master=m");
    assert!(!format!("{uri:?}").contains("s3cret"));
    assert_eq!(parse("rediss://:s3cret@[::1]?unknown=s3cret").to_string(), "rediss://[::1]:6379");
}
