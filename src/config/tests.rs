//! Tests of the whole way from texts to fields.

use std::collections::BTreeMap;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;

fn read(text: &str) -> Config {
    Config::from_ini(text).unwrap()
}

fn refused(text: &str) -> String {
    Config::from_ini(text).unwrap_err().to_string()
}

/// The configuration of several files and an environment.
fn layered(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let files: Vec<(String, String)> =
        files.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
    let environment: BTreeMap<String, String> =
        environment.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
    Config::from_texts(&files, &Sources { environment, ..Sources::none() })
}

#[test]
fn defaults_are_those_of_the_reference_or_safer() {
    let config = Config::default();
    assert!(config.notes.is_empty(), "{:?}", config.notes);
    assert_eq!((config.wsgi.bind.as_str(), config.wsgi.port), ("127.0.0.1", 8888));
    assert_eq!(config.default.auth_strategy, AuthStrategy::None);
    assert!(!config.default.allow_unauthenticated_remote_access);
    assert_eq!(config.drivers.message_store, "sqlite");
    assert_eq!(config.drivers.management_store, "sqlalchemy");
    assert_eq!(config.drivers.transport, None);
    assert_eq!(config.transport.max_messages_post_size, 262_144);
    assert_eq!(config.transport.client_id_uuid_safe, ClientIdUuidSafe::Strict);
    assert!(config.transport.message_encryption_key.is_none());
    assert!(config.transport.message_decryption_key.is_empty());
    assert_eq!(config.cors.allowed_origin, None);
    assert_eq!(config.cors.allow_methods, ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"]);
    assert_eq!(config.oslo_policy.policy_dirs.0, ["policy.d"]);
    assert_eq!(config.mongodb_management.reconnect_sleep.to_string(), "0.02");
    let mail = &config.notification.subscription_confirmation_email_template;
    assert!(mail["body"].ends_with("click or visit this link below: {2}"), "{mail:?}");
    assert_eq!(mail.len(), 3);
}

#[test]
fn names_are_unique_within_a_section() {
    let mut names = std::collections::BTreeSet::new();
    for group in Config::table() {
        for option in group.options {
            for name in option.formerly.iter().chain([&option.name]) {
                assert!(names.insert((group.name, *name)), "[{}] {name}", group.name);
            }
        }
    }
}

#[test]
fn options_are_read_in_both_spellings_and_sections_in_any_case() {
    let config = read(
        "[Drivers:Transport:WebSocket]\nexternal-port = 443\nnotification-port = 1\n[DEFAULT]\nlog-file: /x.log\n",
    );
    assert_eq!(config.websocket.external_port, Some(443));
    assert_eq!(config.default.log_file.as_deref(), Some("/x.log"));
    assert_eq!(
        config.notes,
        ["these options have no effect here: [drivers:transport:websocket] notification_port"]
    );
}

#[test]
fn old_names_are_read_and_named() {
    let config = read("[DEFAULT]\nlogdir = /a\n[drivers]\nstorage = memory\n");
    assert_eq!(config.default.log_dir.as_deref(), Some("/a"));
    assert_eq!(config.drivers.message_store, "memory");
    assert_eq!(
        config.notes,
        [
            "zaqar.conf:2: [DEFAULT] logdir is the old name of log_dir",
            "zaqar.conf:4: [drivers] storage is the old name of message_store",
        ]
    );
}

#[test]
fn in_one_file_the_present_name_wins_over_the_old_one_but_a_later_file_over_both() {
    let first = ("a", "[drivers]\nmessage_store = x\nstorage = y\n");
    assert_eq!(layered(&[first], &[]).unwrap().drivers.message_store, "x");
    let both = layered(&[first, ("b", "[drivers]\nstorage = z\n")], &[]).unwrap();
    assert_eq!(both.drivers.message_store, "z");
    assert_eq!(both.files, ["a", "b"]);
}

#[test]
fn later_files_and_the_environment_override() {
    let files = [
        ("a", "[DEFAULT]\ndebug = no\ndebug = on\n[sweeper]\ninterval=1\n"),
        ("b", "[sweeper]\ninterval=2\n"),
    ];
    let config = layered(&files, &[]).unwrap();
    assert!(config.default.debug);
    assert_eq!(config.sweeper.interval, 2);
    let over = [("OS_SWEEPER__INTERVAL", "3"), ("OS_DRIVERS_TRANSPORT_WSGI__PORT", "80"), ("PATH", "/bin")];
    let config = layered(&files, &over).unwrap();
    assert_eq!((config.sweeper.interval, config.wsgi.port), (3, 80));
    assert!(config.notes.is_empty(), "{:?}", config.notes);
    let over = [("OS_DRIVERS:TRANSPORT:WSGI__PORT", "81"), ("OS_DRIVERS_TRANSPORT_WSGI__PORT", "80")];
    assert_eq!(layered(&files, &over).unwrap().wsgi.port, 81);
}

#[test]
fn the_command_line_overrides_everything() {
    let mut sources = Sources::none().with("DEFAULT", "debug", "true");
    sources.environment.insert("OS_DEFAULT__DEBUG".into(), "false".into());
    let file = ("a".to_owned(), "[DEFAULT]\ndebug = false\n".to_owned());
    assert!(Config::from_texts(&[file], &sources).unwrap().default.debug);
    let error = Config::load(&Sources::none().with("listener", "gzip", "maybe")).unwrap_err().to_string();
    assert!(error.starts_with("command line: [listener] gzip = maybe: "), "{error}");
}

#[test]
fn files_are_found_read_and_named() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("etc/zaqar")).unwrap();
    let path = root.path().join("etc/zaqar/zaqar.conf");
    std::fs::write(&path, "[DEFAULT]\ndebug = true\n[drivers:transport:wsgi]\nport = eighty\n").unwrap();
    let sources = Sources { root: root.path().into(), ..Sources::none() };
    let error = Config::load(&sources).unwrap_err().to_string();
    let line = ":4: [drivers:transport:wsgi] port = eighty: expected a port number from 0 to 65535";
    assert_eq!(error, path.display().to_string() + line);
    let config = Config::load(&sources.with("drivers:transport:wsgi", "port", "1")).unwrap();
    assert!(config.default.debug);
    assert_eq!(config.files, [path.display().to_string()]);
}

#[test]
fn multi_valued_options_gather_from_all_files() {
    let files = [
        ("a", "[transport]\nmessage_decryption_key = one, two\nmessage-decryption-key = three\n"),
        ("b", "[transport]\nmessage_decryption_key = four\nmessage_decryption_key =\n"),
    ];
    let keys = |config: Config| {
        let keys = config.transport.message_decryption_key;
        keys.iter().map(|key| key.expose_secret().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(keys(layered(&files, &[]).unwrap()), ["one, two", "three", "four"]);
    let over = [("OS_TRANSPORT__MESSAGE_DECRYPTION_KEY", "five")];
    assert_eq!(keys(layered(&files, &over).unwrap()), ["five"]);
    assert_eq!(
        read("[oslo_policy]\npolicy_dirs = a\npolicy_dirs = b\n").oslo_policy.policy_dirs.0,
        ["a", "b"]
    );
}

#[test]
fn references_reach_options_of_the_section_of_default_and_of_others() {
    let text = "[DEFAULT]\nstate_path = /srv\nlog_file = ${statsd.prefix}-${debug}.log\nlog_dir = $state_path/$$x\n\
                [statsd]\nprefix = z$port\n\
                [drivers:message_store:sqlite]\nuri = sqlite:///$state_path/${default.log_file}\n";
    let config = read(text);
    assert_eq!(config.default.log_file.as_deref(), Some("z8125-false.log"));
    assert_eq!(config.default.log_dir.as_deref(), Some("/srv/$x"));
    assert_eq!(config.sqlite_messages.uri.as_deref(), Some("sqlite:////srv/z8125-false.log"));
}

#[test]
fn references_to_nothing_and_to_itself_are_refused() {
    let error = refused("[statsd]\nprefix = $nothing\n");
    let problem = "$nothing names no option (a plain dollar sign is written $$)";
    assert_eq!(error, format!("zaqar.conf:2: [statsd] prefix = $nothing: {problem}"));
    let error = refused(
        "[statsd]\nprefix = ${cors.allow_methods}\n[cors]\nallow_methods = $statsd.prefix$statsd.prefix\n",
    );
    assert!(error.ends_with("and none to itself"), "{error}");
}

#[test]
fn secrets_are_never_shown() {
    let text = "[drivers:management_store:sqlalchemy]\nuri = mysql://zaqar:pa$word@db/zaqar\n";
    let error = refused(text);
    assert!(error.contains("uri = ****: $… names no option"), "{error}");
    let config = read("[transport]\nmessage_encryption_key = hunter2\n[signed_url]\nsecret_key = hunter3\n");
    assert!(!format!("{config:?}").contains("hunter"));
}

#[test]
fn digits_may_be_a_password() {
    let config = read("[notification]\nsmtp_user_password = 0123\n[statsd]\nprefix = 1.50\n");
    assert_eq!(config.notification.smtp_user_password.unwrap().expose_secret(), "0123");
    assert_eq!(config.statsd.prefix, "1.50");
}

#[test]
fn bad_values_are_refused_with_what_was_expected() {
    let cases = [
        ("[DEFAULT]\ndebug = maybe", "debug = maybe: expected true or false"),
        (
            "[DEFAULT]\nauth_strategy = ldap",
            "auth_strategy = ldap: expected one of nothing, noauth, keystone",
        ),
        ("[drivers]\ntransport = smtp", "transport = smtp: expected one of wsgi, websocket"),
        (
            "[drivers:transport:wsgi]\nbind = 0.0.0.0:80",
            "bind = 0.0.0.0:80: expected an IP address or host name",
        ),
        ("[drivers:transport:wsgi]\nbind =", "bind = : expected an IP address or host name"),
        ("[drivers:transport:wsgi]\nport = 65536", "port = 65536: expected a port number from 0 to 65535"),
        ("[statsd]\nport = 0", "port = 0: expected a port number from 1 to 65535"),
        ("[transport]\nmax_messages_per_page = 0", "= 0: expected a whole number of at least 1"),
        ("[transport]\nmax_queue_metadata = -5", "= -5: expected a whole number of at least 1"),
        ("[transport]\nmax_message_ttl = 59", "= 59: expected a whole number from 60 to 220367260800"),
        ("[transport]\nmax_claim_ttl = 1h", "= 1h: expected a whole number from 60 to 220367260800"),
        ("[transport]\nclient_id_uuid_safe = loose", "= loose: expected one of strict, off"),
        ("[listener]\nheader_timeout =", "header_timeout = : expected a whole number from 1 to 3600"),
        ("[cache]\nsocket_timeout = -1", "socket_timeout = -1: expected a number of at least 0"),
        ("[DEFAULT]\nenable_deprecated_api_versions = 1,3", "= 1,3: expected a list of 1, 1.1"),
        (
            "[notification]\nsubscription_confirmation_email_template = x",
            "= x: expected name:value pairs with commas",
        ),
    ];
    for (text, end) in cases {
        let error = refused(text);
        assert!(error.starts_with("zaqar.conf:2: [") && error.ends_with(end), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
    let error = layered(&[], &[("OS_DEFAULT__DEBUG", "x")]).unwrap_err().to_string();
    assert!(error.starts_with("environment variable OS_DEFAULT__DEBUG: [DEFAULT] debug = x: "), "{error}");
    assert_eq!(refused("[DEFAULT]\n\nx"), "zaqar.conf:3: neither = nor : found");
}

#[test]
fn what_is_unknown_or_idle_is_named_once() {
    let text = "[DEFAULT]\nverbose = a\nverbose = b\nunreliable = True\npooling = 1\n[x y]\na = 1\nb = 2\n[default]\ndebug = 1\n\
                [storage]\nmessage_pipeline = zaqar.notification.notifier\n";
    let config = layered(&[("f", text)], &[("OS_X__Y", "1"), ("OS_AUTH_URL", "u")]).unwrap();
    assert_eq!(
        config.notes,
        [
            "f:2: unknown option [DEFAULT] verbose is ignored",
            "f:7: unknown section [x y] is ignored",
            "f:10: unknown section [default] is ignored",
            "environment variable OS_X__Y: unknown option [X] Y is ignored",
            "these options have no effect here: [DEFAULT] unreliable; [storage] message_pipeline",
        ]
    );
    assert!(!config.default.debug);
}

#[test]
fn the_names_of_strategies_and_stores_are_checked() {
    let strategy = |text: &str| read(&format!("[DEFAULT]\nauth_strategy = {text}\n")).default.auth_strategy;
    assert_eq!(strategy(""), AuthStrategy::None);
    assert_eq!(strategy("noauth"), AuthStrategy::Noauth);
    assert_eq!(strategy("Keystone"), AuthStrategy::Keystone);
    let config = read("[drivers]\nmessage_store = mongodb\ntransport = websocket\n");
    assert_eq!(config.drivers.transport, Some(ApiTransport::Websocket));
    let error = config.check_stores(&["sqlite", "memory"], &["sqlalchemy"]).unwrap_err().to_string();
    let problem = "no such store is built in; those that are: sqlite, memory";
    assert_eq!(error, format!("zaqar.conf:2: [drivers] message_store = mongodb: {problem}"));
    Config::default().check_stores(&["sqlite"], &["sqlalchemy"]).unwrap();
    let error = Config::default().check_stores(&["sqlite"], &["redis"]).unwrap_err().to_string();
    assert!(error.starts_with("default: [drivers] management_store = sqlalchemy: "), "{error}");
}

proptest! {
    #[test]
    fn no_text_panics(text in "(\\[DEFAULT\\]|\\[statsd\\]|\n|port|debug|prefix|=|:|[$]|[{}]|\"| |,|[0-9]|é){0,60}") {
        let _ = Config::from_ini(&text);
    }

    #[test]
    fn any_value_of_any_option_is_read_or_refused_in_one_line(value in "[^\r\n]{0,40}", pick in any::<prop::sample::Index>()) {
        let all: Vec<_> = Config::table().iter().flat_map(|g| g.options.iter().map(|o| (g.name, o))).collect();
        let (group, option) = all[pick.index(all.len())];
        let text = format!("[{group}]\n{} = {}\n", option.name, ini::quote(&value));
        if let Err(error) = Config::from_ini(&text) {
            let line = error.to_string();
            prop_assert!(line.lines().count() == 1 && line.contains(option.name), "{}", line);
        }
    }
}
