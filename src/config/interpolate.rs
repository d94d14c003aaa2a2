//! `$name` in a value stands for the value of another option.
//!
//! `$name` and `${name}` look in the same section and then in `[DEFAULT]`; `$group.name` and `${group.name}` look
//! in that section. `$$` and `\$` are a plain dollar sign; a dollar sign before anything else is itself.

/// The most bytes that a value may have after its references are filled in.
pub(super) const LONGEST: usize = 65_536;

/// Fills in the references of `text`; `lookup` gives the value of a name or says why there is none.
pub(super) fn expand(
    text: &str,
    mut lookup: impl FnMut(&str) -> Result<String, String>,
) -> Result<String, String> {
    let text = text.replace("\\$", "$$");
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("$$") {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = reference(rest) {
            expanded.push_str(&lookup(name)?);
            rest = after;
        } else {
            expanded.push('$');
            rest = &rest[1..];
        }
        if expanded.len() > LONGEST {
            return Err(format!("its references make it longer than {LONGEST} bytes"));
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// The name that a text beginning with `$` refers to, and what stands behind the reference.
fn reference(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('$')?;
    let (braced, text) = text.strip_prefix('{').map_or((false, text), |inner| (true, inner));
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let after = if braced { after.strip_prefix('}')? } else { after };
    begins.then_some((name, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expanded(text: &str) -> String {
        expand(text, |name| Ok(format!("<{name}>"))).unwrap()
    }

    #[test]
    fn references_are_filled_in() {
        assert_eq!(expanded("a $b ${c}d $e.f/${g.h_1}"), "a <b> <c>d <e.f>/<g.h_1>");
        assert_eq!(expanded("$_x$Y"), "<_x><Y>");
    }

    #[test]
    fn dollar_signs_can_be_meant() {
        assert_eq!(expanded("$$a \\$b $$$c"), "$a $b $<c>");
        assert_eq!(expanded("$ $1 ${d ${e-f} 5$ \\ \\\\$g $-"), "$ $1 ${d ${e-f} 5$ \\ \\$g $-");
    }

    #[test]
    fn a_missing_name_and_a_swollen_value_are_refused() {
        assert_eq!(expand("$a", |_| Err("no".into())), Err("no".into()));
        assert!(expand("$a$a", |_| Ok("x".repeat(LONGEST))).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([$\\\\{}._ab]|é){0,30}") {
            let _ = expand(&text, |name| Ok(name.to_owned()));
        }

        #[test]
        fn doubled_dollar_signs_are_one(text in "[a-z${} ]{0,30}") {
            prop_assert_eq!(expanded(&text.replace('$', "$$")), text);
        }
    }
}
