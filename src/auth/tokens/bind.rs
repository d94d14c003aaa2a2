//! Tokens that are bound to another proof, such as a Kerberos ticket.

/// What `enforce_token_bind` demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Nothing: a binding is not looked at.
    Disabled,
    /// What is known must be proved; what is unknown is not looked at.
    Permissive,
    /// Whatever a token is bound to must be proved.
    Strict,
    /// The same, and every token must be bound.
    Required,
    /// The same, to this at least.
    Named(String),
}

impl Binding {
    /// The setting of that name (in lower case); any other is the name of a kind of proof.
    pub fn from_name(name: &str) -> Self {
        match name {
            "disabled" => Self::Disabled,
            "permissive" => Self::Permissive,
            "strict" => Self::Strict,
            "required" => Self::Required,
            kind => Self::Named(kind.to_owned()),
        }
    }

    /// Whether a token so bound may be used here. This service sees no such proof: what must be proved is refused,
    /// and the log says why.
    pub(super) fn permits(&self, bind: &[Box<str>]) -> bool {
        let is_bound_to = |kind: &str| bind.iter().any(|bound| **bound == *kind);
        let refusal = match self {
            Self::Required if bind.is_empty() => Some("it is not bound, which enforce_token_bind demands"),
            Self::Named(kind) if !is_bound_to(kind) => {
                Some("it is not bound to what enforce_token_bind names")
            }
            Self::Permissive if is_bound_to("kerberos") => {
                Some("it is bound to Kerberos, which is not checked here")
            }
            Self::Strict | Self::Required | Self::Named(_) if !bind.is_empty() => {
                Some("what it is bound to is not checked here")
            }
            _ => None,
        };
        if let Some(reason) = refusal {
            tracing::info!(token.bind = bind.join(","), "a token is refused: {reason}");
        }
        refusal.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_checked_is_refused_where_it_is_demanded() {
        let (none, kerberos, other): (&[Box<str>], _, _) = (&[], ["kerberos".into()], ["x509".into()]);
        let permits = |name: &str| {
            let binding = Binding::from_name(name);
            [none, &kerberos[..], &other[..]].map(|bind| binding.permits(bind))
        };
        assert_eq!(permits("disabled"), [true, true, true]);
        assert_eq!(permits("permissive"), [true, false, true]);
        assert_eq!(permits("strict"), [true, false, false]);
        assert_eq!(permits("required"), [false, false, false]);
        assert_eq!(permits("kerberos"), [false, false, false]);
        assert_eq!(permits("x509"), [false, false, false]);
    }
}
