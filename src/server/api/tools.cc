#include "server/api/tools.h"

#include <algorithm>

namespace galen::server {
namespace {

constexpr size_t kMaxTools = 128;
constexpr size_t kMaxNameBytes = 128;

bool IsToolName(std::string_view name) {
  const auto good = [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("_-.:/").find(static_cast<char>(c)) != std::string_view::npos;
  };
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), good);
}

// The schema of a call's arguments from what a request says of them.
OrderedJson ArgumentSchema(const OrderedJson* parameters) {
  OrderedJson schema = parameters == nullptr ? OrderedJson::object() : *parameters;
  if (parameters == nullptr) schema["properties"] = OrderedJson::object();
  if (!schema.contains("type")) schema["type"] = "object";
  bool open = !schema.contains("properties");
  for (const char* key : {"additionalProperties", "unevaluatedProperties", "patternProperties",
                          "allOf", "anyOf", "oneOf", "$ref", "if", "dependentSchemas"}) {
    open = open || schema.contains(key);
  }
  if (!open) schema["additionalProperties"] = false;
  return schema;
}

Status ReadTool(const OrderedJson& json, const std::string& where, std::string* failed,
                ToolRequest* request) {
  Fields tool(json, where, failed);
  RETURN_IF_ERROR(tool.Check());
  std::string type = "function", name, description;
  RETURN_IF_ERROR(tool.String("type", &type));
  if (type != "function") return tool.Fail("type", "must be function");
  Status status;
  const OrderedJson* function = tool.Object("function", &status);
  RETURN_IF_ERROR(status);
  if (function == nullptr) return tool.Fail("function", "is missing");
  RETURN_IF_ERROR(tool.Finish());
  Fields fields(*function, where + ".function", failed);
  RETURN_IF_ERROR(fields.String("name", &name));
  RETURN_IF_ERROR(fields.String("description", &description));
  const OrderedJson* parameters = fields.Object("parameters", &status);
  RETURN_IF_ERROR(status);
  fields.Accept({"strict"});  // arguments always satisfy their schema
  RETURN_IF_ERROR(fields.Finish());
  if (!IsToolName(name))
    return fields.Fail("name", "must be 1 to 128 letters, digits and . _ - : /");
  if (std::any_of(request->schemas.begin(), request->schemas.end(),
                  [&](const grammar::ToolSchema& other) { return other.name == name; })) {
    return fields.Fail("name", "is that of another function, too");
  }
  const OrderedJson schema = ArgumentSchema(parameters);
  if (schema["type"] != "object") return fields.Fail("parameters", "must be of type object");
  request->schemas.push_back({name, schema.dump()});
  request->tools.push_back(json);
  return OkStatus();
}

}  // namespace

Status ReadTools(Fields* fields, ToolRequest* request) {
  Status status;
  const OrderedJson* tools = fields->Array("tools", &status);
  RETURN_IF_ERROR(status);
  if (tools == nullptr) return OkStatus();
  if (tools->size() > kMaxTools)
    return fields->Fail("tools", "has more than " + std::to_string(kMaxTools) + " entries");
  for (size_t i = 0; i < tools->size(); ++i) {
    RETURN_IF_ERROR(ReadTool((*tools)[i], fields->Name("tools") + "[" + std::to_string(i) + "]",
                             fields->failed(), request));
  }
  return OkStatus();
}

Status ReadToolChoice(Fields* fields, ToolRequest* request) {
  RETURN_IF_ERROR(fields->Bool("parallel_tool_calls", &request->parallel));
  const OrderedJson* choice = fields->Any("tool_choice");
  if (choice == nullptr) return OkStatus();
  if (choice->is_string()) {
    const auto& word = choice->get_ref<const std::string&>();
    if (word == "none") {
      request->choice = ToolRequest::Choice::kNone;
    } else if (word == "required") {
      request->choice = ToolRequest::Choice::kRequired;
    } else if (word != "auto") {
      return fields->Fail("tool_choice", "must be none, auto, required or one function");
    }
    if (word == "required" && request->tools.empty())
      return fields->Fail("tool_choice", "is required, but there are no tools");
    return OkStatus();
  }
  Fields named(*choice, fields->Name("tool_choice"), fields->failed());
  RETURN_IF_ERROR(named.Check());
  std::string type, name;
  RETURN_IF_ERROR(named.String("type", &type));
  if (type != "function") return named.Fail("type", "must be function");
  Status status;
  const OrderedJson* function = named.Object("function", &status);
  RETURN_IF_ERROR(status);
  if (function == nullptr) return named.Fail("function", "is missing");
  RETURN_IF_ERROR(named.Finish());
  Fields inner(*function, named.Name("function"), fields->failed());
  RETURN_IF_ERROR(inner.String("name", &name));
  RETURN_IF_ERROR(inner.Finish());
  std::erase_if(request->schemas,
                [&](const grammar::ToolSchema& schema) { return schema.name != name; });
  if (request->schemas.empty()) return inner.Fail("name", "is that of none of the tools");
  request->choice = ToolRequest::Choice::kRequired;
  request->parallel = false;
  return OkStatus();
}

Status ReadToolCalls(Fields* fields, bool openai, OrderedJson* out) {
  Status status;
  const OrderedJson* calls = fields->Array("tool_calls", &status);
  RETURN_IF_ERROR(status);
  if (calls == nullptr || calls->empty()) return OkStatus();
  OrderedJson list = OrderedJson::array();
  for (const OrderedJson& call : *calls) {
    const OrderedJson* function =
        call.is_object() && call.contains("function") ? &call["function"] : nullptr;
    if (function == nullptr || !function->is_object() || !function->contains("name") ||
        !(*function)["name"].is_string()) {
      return fields->Fail("tool_calls", "must have entries with a function and its name");
    }
    OrderedJson copy = call;
    OrderedJson& arguments = copy["function"]["arguments"];
    if (openai && arguments.is_string()) {
      // Clients send the text of the arguments; templates want the object. A call that max_tokens
      // cut off stays the text that it is: agents (Open WebUI's, LangChain's) send it back with the
      // error that it made, and go on.
      const auto& text = arguments.get_ref<const std::string&>();
      const Result<OrderedJson> parsed =
          text.empty() ? Result<OrderedJson>(OrderedJson::object()) : ParseOrderedJson(text, 64);
      if (parsed.ok() && parsed->is_object()) {
        OrderedJson object = *parsed;
        arguments = std::move(object);
      }
    }
    if (arguments.is_null()) arguments = OrderedJson::object();
    if (!arguments.is_object() && !(openai && arguments.is_string()))
      return fields->Fail("tool_calls", "has arguments that are no JSON object");
    list.push_back(std::move(copy));
  }
  (*out)["tool_calls"] = std::move(list);
  return OkStatus();
}

Result<std::shared_ptr<const ToolPlan>> PlanTools(ModelHost& host, const ToolRequest& request) {
  ASSIGN_OR_RETURN(ToolConvention convention, ToolConvention::Of(host.files().chat_template));
  auto plan = std::make_shared<ToolPlan>();
  plan->form = std::move(convention.form);
  if (!request.parallel) plan->form.max_calls = 1;
  const bool text = request.choice == ToolRequest::Choice::kAuto;
  // The form belongs to the model; what else decides is the key.
  std::string key =
      std::string("tools ") + (text ? "auto " : "required ") + std::to_string(plan->form.max_calls);
  for (const grammar::ToolSchema& schema : request.schemas)
    key += "\n" + schema.name + "\n" + schema.parameters;
  ASSIGN_OR_RETURN(
      plan->constraint,
      host.CachedConstraint(key, [&](const std::shared_ptr<const grammar::Vocabulary>& vocabulary) {
        return grammar::Constraint::FromToolCalls(plan->form, request.schemas, text, vocabulary);
      }));
  return std::shared_ptr<const ToolPlan>(std::move(plan));
}

}  // namespace galen::server
