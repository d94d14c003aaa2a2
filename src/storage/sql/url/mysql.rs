//! What a URL says about a `MariaDB` or `MySQL` server: the parameters of `PyMySQL` and `MySQLdb`.

use sqlx::ConnectOptions as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use super::parts::{Parts, ignored, truth};
use super::{Address, malformed};
use crate::storage::sql::OpenError;

/// How connections to that server are made, and how messages name it. Without parameters about TLS it is used
/// where the server offers it, unchecked; with `ssl_ca` the server must prove its name.
pub(super) fn options(parts: &Parts) -> Result<(MySqlConnectOptions, Address), OpenError> {
    if parts.database.is_empty() {
        return Err(malformed("it names no database"));
    }
    let (host, port) = (parts.host.as_deref().unwrap_or("localhost"), parts.port.unwrap_or(3306));
    let mut options = MySqlConnectOptions::new()
        .host(host)
        .port(port)
        .database(&parts.database)
        .pipes_as_concat(false)
        .disable_statement_logging();
    if let Some(user) = &parts.user {
        options = options.username(user);
    }
    if let Some(password) = &parts.password {
        options = options.password(password);
    }
    let mut address = format!("{host}:{port}/{}", parts.database);
    let (mut tls, mut unknown) = (Tls::default(), Vec::new());
    for (name, value) in &parts.parameters {
        match name.as_str() {
            "unix_socket" => {
                address = format!("{value}/{}", parts.database);
                options = options.socket(value);
            }
            "ssl_ca" => {
                tls.authority = true;
                options = options.ssl_ca(value);
            }
            "ssl_cert" => options = tls.wanted(options).ssl_client_cert(value),
            "ssl_key" => options = tls.wanted(options).ssl_client_key(value),
            "ssl" => tls.asked = truth(value)?,
            "ssl_verify_cert" => tls.certificate = truth(value)?,
            "ssl_check_hostname" | "ssl_verify_identity" => tls.name = truth(value)?,
            "ssl_disabled" => tls.off = truth(value)?,
            // Sessions speak the whole of Unicode, whatever is asked for.
            "charset" | "use_unicode" => {}
            other => unknown.push(other),
        }
    }
    ignored(&unknown);
    Ok((options.ssl_mode(tls.mode()), address))
}

/// What the parameters say about TLS.
#[expect(clippy::struct_excessive_bools, reason = "one for each parameter")]
struct Tls {
    off: bool,
    asked: bool,
    authority: bool,
    certificate: bool,
    name: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self { off: false, asked: false, authority: false, certificate: true, name: true }
    }
}

impl Tls {
    fn wanted(&mut self, options: MySqlConnectOptions) -> MySqlConnectOptions {
        self.asked = true;
        options
    }

    fn mode(&self) -> MySqlSslMode {
        match self {
            Self { off: true, .. } => MySqlSslMode::Disabled,
            Self { authority: true, certificate: true, name: true, .. } => MySqlSslMode::VerifyIdentity,
            Self { authority: true, certificate: true, .. } => MySqlSslMode::VerifyCa,
            Self { authority: true, .. } | Self { asked: true, .. } => MySqlSslMode::Required,
            _ => MySqlSslMode::Preferred,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that was understood, as sqlx shows it.
    fn shown(rest: &str) -> (String, Address) {
        let (options, address) = options(&Parts::parse(rest).unwrap()).unwrap();
        (format!("{options:?}"), address)
    }

    #[test]
    fn the_server_and_the_login_are_understood() {
        let (shown, address) = shown("zaqar:p%40ss@db.example/zaqar?charset=utf8");
        for part in ["\"db.example\"", "3306", "\"zaqar\"", "\"p@ss\"", "Preferred"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert_eq!(address, "db.example:3306/zaqar");
    }

    #[test]
    fn sockets_are_understood() {
        let (shown, address) = shown("zaqar@localhost/zaqar?unix_socket=/run/mysqld/mysqld.sock");
        assert!(shown.contains("socket: Some(\"/run/mysqld/mysqld.sock\")"), "{shown}");
        assert_eq!(address, "/run/mysqld/mysqld.sock/zaqar");
    }

    #[test]
    fn tls_is_as_strict_as_was_asked() {
        for (query, mode) in [
            ("", "Preferred"),
            ("ssl_disabled=true", "Disabled"),
            ("ssl_cert=/c&ssl_key=/k", "Required"),
            ("ssl=true", "Required"),
            ("ssl_ca=/ca", "VerifyIdentity"),
            ("ssl_ca=/ca&ssl_check_hostname=false", "VerifyCa"),
            ("ssl_ca=/ca&ssl_verify_identity=false", "VerifyCa"),
            ("ssl_ca=/ca&ssl_verify_cert=false", "Required"),
        ] {
            let (shown, _) = shown(&format!("u:p@h/d?{query}"));
            assert!(shown.contains(&format!("ssl_mode: {mode}")), "{query}: {shown}");
        }
    }
}
