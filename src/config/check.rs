//! What options have to do with each other.

use secrecy::ExposeSecret;

use super::{Config, ConfigError};

/// The Python service's default encryption key: everybody knows it.
const PUBLIC_KEY: &str = "AES256";

impl Config {
    /// Refuses options that contradict each other, and settles what one option means for another.
    pub(super) fn check(&mut self) -> Result<(), ConfigError> {
        self.fit_defaults()?;
        self.check_client_ids()?;
        self.check_tls()?;
        self.drop_public_key();
        Ok(())
    }

    /// A default must not be above its maximum. One that nobody gave follows a lower maximum.
    fn fit_defaults(&mut self) -> Result<(), ConfigError> {
        let now = &self.transport;
        let ttl = self.fitted(
            "default_message_ttl",
            now.default_message_ttl,
            "max_message_ttl",
            now.max_message_ttl,
        )?;
        let delay = self.fitted(
            "default_message_delay",
            now.default_message_delay,
            "max_message_delay",
            now.max_message_delay,
        )?;
        let claim =
            self.fitted("default_claim_ttl", now.default_claim_ttl, "max_claim_ttl", now.max_claim_ttl)?;
        let grace = self.fitted(
            "default_claim_grace",
            now.default_claim_grace,
            "max_claim_grace",
            now.max_claim_grace,
        )?;
        let transport = &mut self.transport;
        (transport.default_message_ttl, transport.default_message_delay) = (ttl, delay);
        (transport.default_claim_ttl, transport.default_claim_grace) = (claim, grace);
        Ok(())
    }

    /// The default `name`, not above its maximum.
    fn fitted(&self, name: &str, value: u64, limit: &str, max: u64) -> Result<u64, ConfigError> {
        if value > max && self.places.contains_key(&("transport", name)) {
            let problem = format!("expected at most {limit}, which is {max}");
            return Err(self.refuse("transport", name, &value.to_string(), problem));
        }
        Ok(value.min(max))
    }

    fn check_client_ids(&self) -> Result<(), ConfigError> {
        let (min, max) = (self.transport.min_length_client_id, self.transport.max_length_client_id);
        if min <= max {
            return Ok(());
        }
        let problem = format!("expected at most max_length_client_id, which is {max}");
        Err(self.refuse("transport", "min_length_client_id", &min.to_string(), problem))
    }

    fn check_tls(&self) -> Result<(), ConfigError> {
        let ssl = &self.ssl;
        if let Some(file) = &ssl.ca_file {
            let problem = "clients' certificates cannot be checked here; expected no value";
            return Err(self.refuse("ssl", "ca_file", file, problem));
        }
        match (&ssl.cert_file, &ssl.key_file) {
            (Some(file), None) => Err(self.refuse("ssl", "cert_file", file, "expected key_file beside it")),
            (None, Some(file)) => Err(self.refuse("ssl", "key_file", file, "expected cert_file beside it")),
            _ => Ok(()),
        }
    }

    fn drop_public_key(&mut self) {
        let key = &mut self.transport.message_encryption_key;
        if key.as_ref().is_some_and(|key| key.expose_secret() == PUBLIC_KEY) {
            *key = None;
            let note =
                "[transport] message_encryption_key is the Python service's public default and is not used";
            self.notes.push(note.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Config::from_ini(text).unwrap_err().to_string()
    }

    #[test]
    fn a_given_default_above_its_maximum_is_refused() {
        let text = "[transport]\nmax_claim_ttl = 100\ndefault_claim_ttl = 200\n";
        let line =
            "zaqar.conf:3: [transport] default_claim_ttl = 200: expected at most max_claim_ttl, which is 100";
        assert_eq!(refused(text), line);
        let delay = refused("[transport]\ndefault_message_delay = 901");
        assert!(delay.ends_with("expected at most max_message_delay, which is 900"), "{delay}");
    }

    #[test]
    fn a_default_that_nobody_gave_follows_its_maximum() {
        let config = Config::from_ini("[transport]\nmax_message_ttl = 600\nmax_claim_ttl = 60\n").unwrap();
        assert_eq!(config.transport.default_message_ttl, 600);
        assert_eq!(config.transport.default_claim_ttl, 60);
        assert_eq!(config.transport.default_claim_grace, 60);
    }

    #[test]
    fn lengths_of_client_ids_must_leave_room() {
        let line = refused("[transport]\nmin_length_client_id = 37");
        assert!(line.ends_with("expected at most max_length_client_id, which is 36"), "{line}");
    }

    #[test]
    fn half_of_tls_and_client_certificates_are_refused() {
        assert!(refused("[ssl]\ncert_file = /a").ends_with("cert_file = /a: expected key_file beside it"));
        assert!(refused("[ssl]\nkey_file = /a").ends_with("key_file = /a: expected cert_file beside it"));
        assert!(refused("[ssl]\nca_file = /a").contains("clients' certificates cannot be checked"));
        let both = Config::from_ini("[ssl]\ncert_file = /a\nkey_file = /b\nca_file =\n").unwrap();
        assert_eq!(both.ssl.key_file.as_deref(), Some("/b"));
    }

    #[test]
    fn the_public_key_is_no_key() {
        let config = Config::from_ini("[transport]\nmessage_encryption_key = AES256\n").unwrap();
        assert!(config.transport.message_encryption_key.is_none());
        assert!(config.notes[0].contains("public default"), "{:?}", config.notes);
        let config = Config::from_ini("[transport]\nmessage_encryption_key = ours\n").unwrap();
        assert_eq!(config.transport.message_encryption_key.unwrap().expose_secret(), "ours");
    }
}
