//! Expressions that say which trials are shown, such as `lr < 0.05 and state = done`.
//!
//! A comparison is `NAME OPERATOR VALUE` with `=`, `!=`, `<`, `<=`, `>`, `>=` or `~` (contains);
//! comparisons are joined by `and`, `or` and `not`, and grouped by parentheses; `and` may be left
//! out. A word alone stands for everything that contains it.

use std::cmp::Ordering;

/// A checked expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    Compare(String, Operator, String),
    Word(String),
    Not(Box<Filter>),
    All(Vec<Filter>),
    Any(Vec<Filter>),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
    Contains,
}

/// A value that a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Number(f64),
    Text(&'a str),
    /// Any of these.
    Words(&'a [String]),
}

/// What names stand for, in one trial or study.
pub(crate) trait Thing {
    /// The value of a name; nothing where this one has none of it.
    fn value(&self, name: &str) -> Option<Value<'_>>;

    /// Whether a word alone fits.
    fn holds(&self, word: &str) -> bool;
}

/// An expression has at most so many parts, and so many parentheses within each other.
const LONGEST: usize = 1_000;
const DEEPEST: usize = 50;

impl Filter {
    /// Reads an expression; `names` are those that mean something here. Nothing at all shows
    /// everything.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(crate) fn parse(text: &str, is_name: impl Fn(&str) -> bool) -> Result<Self, String> {
        let tokens = tokens(text)?;
        if tokens.len() > LONGEST {
            return Err(format!("a filter has at most {LONGEST} parts"));
        }
        let mut parser = Parser {
            tokens: &tokens,
            at: 0,
            depth: 0,
            is_name: &is_name,
        };
        let filter = parser.any()?;
        match parser.peek() {
            None => Ok(filter),
            Some(token) => Err(format!("`{token}` stands where nothing fits")),
        }
    }

    /// Whether it shows everything.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Filter::All(parts) if parts.is_empty())
    }

    pub(crate) fn fits(&self, thing: &impl Thing) -> bool {
        match self {
            Filter::All(parts) => parts.iter().all(|part| part.fits(thing)),
            Filter::Any(parts) => parts.iter().any(|part| part.fits(thing)),
            Filter::Not(part) => !part.fits(thing),
            Filter::Word(word) => thing.holds(word),
            Filter::Compare(name, operator, wanted) => thing
                .value(name)
                .is_some_and(|value| compare(&value, *operator, wanted)),
        }
    }
}

fn compare(value: &Value<'_>, operator: Operator, wanted: &str) -> bool {
    match value {
        Value::Words(words) => {
            let any = words.iter().any(|word| match operator {
                Operator::Contains => word.contains(wanted),
                _ => word == wanted,
            });
            any != (operator == Operator::Unequal)
        }
        Value::Text(text) => match operator {
            Operator::Contains => text.contains(wanted),
            operator => operator.holds(text.cmp(&wanted)),
        },
        Value::Number(number) => match wanted.parse::<f64>() {
            Ok(wanted) => match number.partial_cmp(&wanted) {
                Some(order) => operator.holds(order),
                None => operator == Operator::Unequal,
            },
            Err(_) => {
                let text = crate::number::significant(*number);
                compare(&Value::Text(&text), operator, wanted)
            }
        },
    }
}

impl Operator {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Operator::Equal | Operator::Contains => order.is_eq(),
            Operator::Unequal => order.is_ne(),
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::More => order.is_gt(),
            Operator::MoreOrEqual => order.is_ge(),
        }
    }

    fn of(token: &str) -> Option<Self> {
        Some(match token {
            "=" | "==" | ":" => Operator::Equal,
            "!=" => Operator::Unequal,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::More,
            ">=" => Operator::MoreOrEqual,
            "~" => Operator::Contains,
            _ => return None,
        })
    }
}

struct Parser<'a, N> {
    tokens: &'a [String],
    at: usize,
    depth: usize,
    is_name: &'a N,
}

impl<N: Fn(&str) -> bool> Parser<'_, N> {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn next(&mut self) -> Option<String> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn any(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.all()?];
        while self.peek() == Some("or") {
            self.at += 1;
            parts.push(self.all()?);
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Filter::Any(parts),
        })
    }

    fn all(&mut self) -> Result<Filter, String> {
        let mut parts = Vec::new();
        loop {
            match self.peek() {
                None | Some("or" | ")") => break,
                Some("and") if !parts.is_empty() => {
                    self.at += 1;
                    if matches!(self.peek(), None | Some("or" | "and" | ")")) {
                        return Err("something is missing after `and`".to_owned());
                    }
                }
                Some(_) => parts.push(self.one()?),
            }
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Filter::All(parts),
        })
    }

    fn one(&mut self) -> Result<Filter, String> {
        let token = self.next().unwrap_or_default();
        match token.as_str() {
            "not" => Ok(Filter::Not(Box::new(self.deeper(Self::one)?))),
            "(" => {
                let inside = self.deeper(Self::any)?;
                match self.next().as_deref() {
                    Some(")") => Ok(inside),
                    _ => Err("a `)` is missing".to_owned()),
                }
            }
            token if Operator::of(token).is_some() => {
                Err(format!("before `{token}` a name is missing"))
            }
            name => {
                let Some(operator) = self.peek().and_then(Operator::of) else {
                    return Ok(Filter::Word(name.to_owned()));
                };
                self.at += 1;
                if !(self.is_name)(name) {
                    return Err(format!("there is nothing called `{name}` here"));
                }
                match self.next() {
                    Some(value) if Operator::of(&value).is_none() && value != ")" => {
                        Ok(Filter::Compare(name.to_owned(), operator, value))
                    }
                    _ => Err(format!("after `{name}` a value is missing")),
                }
            }
        }
    }

    fn deeper(&mut self, part: fn(&mut Self) -> Result<Filter, String>) -> Result<Filter, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("more than {DEEPEST} parentheses within each other"));
        }
        let inside = part(self);
        self.depth -= 1;
        inside
    }
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => 1,
            '"' | '\'' => match rest[1..].find(first) {
                Some(end) => {
                    tokens.push(rest[1..=end].to_owned());
                    rest = rest[end + 2..].trim_start();
                    continue;
                }
                None => return Err(format!("a closing {first} is missing")),
            },
            c if is_operator(c) => rest.find(|c| !is_operator(c)).unwrap_or(rest.len()),
            _ => rest
                .find(|c: char| c.is_whitespace() || is_operator(c) || matches!(c, '(' | ')'))
                .unwrap_or(rest.len()),
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn is_operator(c: char) -> bool {
    matches!(c, '=' | '!' | '<' | '>' | '~' | ':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Trial;

    impl Thing for Trial {
        fn value(&self, name: &str) -> Option<Value<'_>> {
            match name {
                "lr" => Some(Value::Number(0.05)),
                "state" => Some(Value::Text("done")),
                "loss" => Some(Value::Number(f64::NAN)),
                _ => None,
            }
        }

        fn holds(&self, word: &str) -> bool {
            "s1.3 greedy done".contains(word)
        }
    }

    fn is_name(name: &str) -> bool {
        ["lr", "state", "loss", "width", "tag"].contains(&name)
    }

    #[test]
    fn an_expression_says_what_is_shown() {
        let table = [
            ("", true),
            ("lr < 0.1", true),
            ("lr<0.1 state=done", true),
            ("lr >= 0.05 and state != done", false),
            ("lr = 0.05", true),
            ("not lr = 0.05", false),
            ("lr > 1 or state ~ on", true),
            ("(lr > 1 or lr < 0.1) and greedy", true),
            ("not (lr > 1 or lr < 0.1)", false),
            ("cosine", false),
            ("state = 'done'", true),
            ("width = 64", false),
            ("not width = 64", true),
            ("loss < 1", false),
            ("loss != 1", true),
        ];
        for (text, shown) in table {
            let filter = Filter::parse(text, is_name).unwrap();
            assert_eq!(filter.fits(&Trial), shown, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let table = [
            ("speed > 3", "there is nothing called `speed` here"),
            ("lr <", "after `lr` a value is missing"),
            ("< 3", "before `<` a name is missing"),
            ("(lr < 3", "a `)` is missing"),
            ("lr < 3)", "`)` stands where nothing fits"),
            ("lr < 3 and", "something is missing after `and`"),
            ("state = 'done", "a closing ' is missing"),
        ];
        for (text, expected) in table {
            assert_eq!(
                Filter::parse(text, is_name).unwrap_err(),
                expected,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[a-z(<=!~'\" )]{0,40}") {
            if let Ok(filter) = Filter::parse(&text, |_| true) {
                filter.fits(&Trial);
            }
        }
    }
}
