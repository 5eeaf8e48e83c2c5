//! The OpenAPI document, made from the table of endpoints and the wire types.

mod corrections;

use crate::endpoint::{
    ALL, Answers, EVENT_STREAM, JSON, Method, OCTETS, POSTCARD, Route, Shape, TEXT, Takes,
};
use crate::problem::{Problem, ProblemCode};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, Paths,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ArrayBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, Content, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
    Response, ResponseBuilder, Schema,
};
use utoipa::{PartialSchema, ToSchema};

const ABOUT: &str = "Everything that can be asked of an Attune daemon.\n\n\
    It listens on a Unix socket, which needs no token, and over TCP where it was told to, which \
    does. Every refusal is a `Problem`. Fields that are not described here may be added at any \
    time and are to be ignored.";

/// The OpenAPI 3.1 document of the daemon, JSON.
pub fn openapi() -> Value {
    // It is made of strings and lists alone, so it can always be written.
    let mut document = serde_json::to_value(described()).unwrap_or_default();
    corrections::correct(&mut document);
    document
}

fn described() -> OpenApi {
    let mut paths = Paths::new();
    for route in ALL {
        let method = match route.method {
            Method::Get => HttpMethod::Get,
            Method::Post => HttpMethod::Post,
            Method::Delete => HttpMethod::Delete,
        };
        paths.add_path_operation(route.path, vec![method], operation(route));
    }
    let info = InfoBuilder::new()
        .title("Attune")
        .version("1")
        .description(Some(ABOUT));
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components()))
        // Over its socket the daemon asks for nothing.
        .security(Some([
            SecurityRequirement::new("token", [""; 0]),
            SecurityRequirement::default(),
        ]))
        .build()
}

fn operation(route: &Route) -> Operation {
    let lines: Vec<&str> = route.docs.iter().map(|line| line.trim()).collect();
    let (summary, description) = lines.split_first().unwrap_or((&"", &[]));
    let mut operation = OperationBuilder::new()
        .operation_id(Some(route.name.to_lowercase()))
        .tag(tag(route))
        .summary(Some(*summary));
    if !description.is_empty() {
        operation = operation.description(Some(description.join(" ")));
    }
    for name in route.path_parameters() {
        operation = operation.parameter(path_parameter(name));
    }
    match route.request {
        Takes::Nothing => {}
        Takes::Query(parameters) => {
            for parameter in parameters() {
                operation = operation.parameter(parameter);
            }
        }
        Takes::Json(shape) => operation = operation.request_body(Some(body(shape, false))),
        Takes::Work(shape) => operation = operation.request_body(Some(body(shape, true))),
    }
    if matches!(route.answer, Answers::Events(_)) {
        operation = operation.parameter(last_event_id());
    }
    operation = operation.response("200", answer(route.answer));
    for code in route.problems() {
        let reference = Ref::from_response_name(response_name(code));
        operation = operation.response(code.status().to_string(), RefOr::Ref(reference));
    }
    operation.build()
}

/// What a path is about: its first part that names a thing.
fn tag(route: &Route) -> &'static str {
    match route
        .path
        .split('/')
        .find(|part| !matches!(*part, "" | "v1"))
    {
        Some("import") => "studies",
        Some(part @ ("studies" | "trials" | "plugins" | "store" | "workers")) => part,
        _ => "daemon",
    }
}

fn path_parameter(name: &'static str) -> Parameter {
    let text = || {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
    };
    let (schema, description): (RefOr<Schema>, _) = match name {
        "study" => (text().into(), "The study, such as `s12`."),
        "trial" => (text().into(), "The trial, such as `s12.3`."),
        "plugin" => (
            text().into(),
            "The hash of a plugin's content, or a scheduler in it.",
        ),
        "worker" => (u64::schema(), "The worker's number."),
        _ => (text().into(), ""),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

fn last_event_id() -> Parameter {
    ParameterBuilder::new()
        .name("Last-Event-ID")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "The number of the last event that came: later ones are sent first.",
        ))
        .schema(Some(u64::schema()))
        .build()
}

fn body(shape: Shape, postcard_too: bool) -> RequestBody {
    // Nothing at all is read as an object without fields.
    let schema = (shape.schema)();
    let may_be_empty = matches!(&schema, RefOr::T(Schema::Object(all)) if all.required.is_empty());
    let required = match may_be_empty {
        true => Required::False,
        false => Required::True,
    };
    let mut body = RequestBodyBuilder::new()
        .required(Some(required))
        .content(JSON, Content::new(Some(reference(shape))));
    if postcard_too {
        body = body.content(POSTCARD, Content::default());
    }
    body.build()
}

fn answer(answer: Answers) -> Response {
    let good = |description: &str| ResponseBuilder::new().description(description);
    let answer = match answer {
        Answers::Json(shape) => good("It is done, or this is what was asked for.")
            .content(JSON, Content::new(Some(reference(shape)))),
        Answers::Work(shape) => good("In the form that `Accept` asks for.")
            .content(JSON, Content::new(Some(reference(shape))))
            .content(POSTCARD, Content::default()),
        Answers::Events(shape) => {
            let name = (shape.name)();
            let stream = ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some(format!(
                    "Server-sent events without an end. `id` is a number that rises, `event` the \
                     field `event` of the data, and `data` a `{name}` as JSON. Comments come \
                     where nothing happens. Where they are told at a pace, or of studies only, \
                     of those that come together the last one alone has an `id`."
                )));
            good("What happens, as it happens.")
                .content(EVENT_STREAM, Content::new(Some(RefOr::T(stream.into()))))
        }
        Answers::File => good("The file.").content(OCTETS, Content::default()),
        Answers::Text => {
            let text = ObjectBuilder::new().schema_type(Type::String);
            good("The text.").content(TEXT, Content::new(Some(RefOr::T(text.into()))))
        }
    };
    answer.build()
}

/// A reference to a type, or a list of such.
fn reference(shape: Shape) -> RefOr<Schema> {
    // A type without fields of its own, as any JSON, is described where it is used.
    if !is_named(shape) {
        return (shape.schema)();
    }
    let reference = Ref::from_schema_name((shape.name)());
    if shape.list {
        RefOr::T(ArrayBuilder::new().items(reference).into())
    } else {
        RefOr::Ref(reference)
    }
}

fn is_named(shape: Shape) -> bool {
    (shape.name)() != "Value"
}

fn components() -> Components {
    let mut schemas = Vec::new();
    let mut add = |shape: Shape| {
        if is_named(shape) {
            schemas.push(((shape.name)().into_owned(), (shape.schema)()));
        }
        (shape.parts)(&mut schemas);
    };
    for route in ALL {
        if let Takes::Json(shape) | Takes::Work(shape) = route.request {
            add(shape);
        }
        if let Answers::Json(shape) | Answers::Work(shape) | Answers::Events(shape) = route.answer {
            add(shape);
        }
    }
    schemas.push((Problem::name().into_owned(), Problem::schema()));
    Problem::schemas(&mut schemas);

    let mut components = Components::new();
    components.schemas = schemas.into_iter().collect::<BTreeMap<_, _>>();
    for code in ALL.iter().flat_map(|route| route.problems()) {
        let problem = RefOr::<Schema>::Ref(Ref::from_schema_name(Problem::name()));
        let response = ResponseBuilder::new()
            .description(meaning(code))
            .content(JSON, Content::new(Some(problem)))
            .build();
        let name = response_name(code);
        components.responses.insert(name, RefOr::T(response));
    }
    let mut token = Http::new(HttpAuthScheme::Bearer);
    token.description = Some("The daemon's token; it is asked for over TCP alone.".to_owned());
    components.add_security_scheme("token", SecurityScheme::Http(token));
    components
}

fn response_name(code: ProblemCode) -> String {
    format!("{code:?}")
}

fn meaning(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::Invalid => "The request itself is wrong, as a study file with a mistake.",
        ProblemCode::Unauthorized => "The token is missing or wrong.",
        ProblemCode::NotFound => "There is no such study, trial, plugin or path.",
        ProblemCode::MethodNotAllowed => "The path knows other methods.",
        ProblemCode::Timeout => "The request took too long to arrive.",
        ProblemCode::Conflict => "It does not fit the state of things, as to resume what runs.",
        ProblemCode::TooLarge => "The body is larger than is ever needed.",
        ProblemCode::UnsupportedMedia => "The body is in a form that is not read.",
        ProblemCode::TooMany => "There are too many connections; try again.",
        ProblemCode::Internal => "A mistake of the daemon's.",
        ProblemCode::Unavailable => {
            "It cannot be done now, as on a full disk or while the daemon stops."
        }
    }
}
