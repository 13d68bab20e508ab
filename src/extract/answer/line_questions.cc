#include "extract/answer/line_questions.h"

#include <algorithm>

#include "extract/answer/leaves.h"
#include "extract/answer/line_schema.h"
#include "media/document/straighten.h"
#include "media/document/text_lines.h"
#include "media/image/resize.h"
#include "recipes/sources.h"

namespace galen::extract {
namespace {

constexpr double kPointsPerInch = 72;
// Of one line; the longest that training data has take some 120.
constexpr int64_t kMaxTokens = 256;

// The page as large as the pages that the model learned from; pixels = units * scale.
Result<Case::Picture> DrawForLines(const Case& source, size_t page, const PageLines& lines) {
  const SourcePage& size = source.pages()[page];
  const double side = std::max(size.width, size.height);
  const auto wanted = static_cast<double>(lines.long_side);
  ASSIGN_OR_RETURN(Case::Picture picture,
                   source.Draw(page, side > 0 ? kPointsPerInch * wanted / side : kPointsPerInch));
  Image& image = picture.image;
  const auto longer = static_cast<double>(std::max(image.width, image.height));
  if (longer > wanted) {
    const double factor = wanted / longer;
    const auto scaled = [&](int64_t n) {
      return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(n) * factor + 0.5));
    };
    image = Resize(image, scaled(image.width), scaled(image.height), Filter::kLanczos);
    picture.scale *= factor;
  }
  return picture;
}

Status CheckKind(const PageLines& lines, const std::string& kind) {
  if (std::find(lines.kinds.begin(), lines.kinds.end(), kind) != lines.kinds.end())
    return OkStatus();
  std::string known;
  for (const std::string& name : lines.kinds) known += (known.empty() ? "" : ", ") + name;
  return Unsupported("this model reads " + known + (kind.empty() ? "" : ", not " + kind) +
                     "; name another with --model");
}

Result<LineQuestion> Ask(const ModelFiles& files, const Image& strip, const PagePart& at,
                         const ReadRequest& request, const PageQuestionOptions& options) {
  LineQuestion question;
  question.at = at;
  ASSIGN_OR_RETURN(PreparedViews views, files.image_processor->Prepare(strip, options.image));
  question.images.push_back(std::move(views));
  // The words of galen data synth --lines.
  const OrderedJson content = OrderedJson::array(
      {{{"type", "image"}},
       {{"type", "text"}, {"text", "Extract this line of a " + request.kind + " as JSON."}}});
  const OrderedJson messages = OrderedJson::array({{{"role", "user"}, {"content", content}}});
  ASSIGN_OR_RETURN(question.prompt, options.chat != nullptr
                                        ? options.chat->Encode(messages, question.images)
                                        : EncodeChat(files, messages, question.images));
  TextRequest& text = question.request;
  text.max_tokens =
      std::min(kMaxTokens, options.context - static_cast<int64_t>(question.prompt.tokens.size()));
  if (text.max_tokens < 2) {
    return ResourceExhausted("a context of " + std::to_string(options.context) +
                             " tokens leaves no room to read a line");
  }
  text.sampling.logprobs = 0;
  text.cancelled = request.cancelled;
  return question;
}

}  // namespace

Result<std::vector<LineQuestion>> AskAboutLines(const ModelFiles& files, const ReadRequest& request,
                                                const PageQuestionOptions& options) {
  const PageLines& lines = *files.vision.page_lines;
  RETURN_IF_ERROR(CheckKind(lines, request.kind));
  StripShape shape;
  shape.row_height = lines.row_height;
  shape.row_width = lines.row_width;
  shape.max_rows = lines.max_rows;
  std::vector<LineQuestion> questions;
  for (const size_t page : request.pages) {
    ASSIGN_OR_RETURN(Case::Picture picture, DrawForLines(*request.source, page, lines));
    ASSIGN_OR_RETURN(const StraightPage straight, Straighten(std::move(picture.image)));
    ASSIGN_OR_RETURN(const std::vector<TextLine> found, FindTextLines(straight.image));
    const int64_t typical = TypicalHeight(found);
    for (const TextLine& line : found) {
      if (request.cancelled && request.cancelled()) return Cancelled("the reading was stopped");
      const Box box = {static_cast<double>(line.box.left), static_cast<double>(line.box.top),
                       static_cast<double>(line.box.right), static_cast<double>(line.box.bottom)};
      const PagePart at = {page, straight.Askew(box).Scaled(1 / picture.scale)};
      bool whole = true;
      const Image strip = ToRgb(LineStrip(straight.image, line, shape, typical, &whole));
      ASSIGN_OR_RETURN(LineQuestion question, Ask(files, strip, at, request, options));
      question.whole = whole;
      questions.push_back(std::move(question));
    }
  }
  return questions;
}

Result<std::vector<Answer>> AnswersOfLines(const std::string& schema,
                                           const std::vector<LineQuestion>& questions,
                                           std::vector<Answer> answers) {
  std::vector<Answer> kept(1);
  ASSIGN_OR_RETURN(kept[0].text, EmptyDocument(schema));
  for (size_t i = 0; i < answers.size(); ++i) {
    Answer& answer = answers[i];
    answer.read_at = questions[i].at;
    ASSIGN_OR_RETURN(const ParsedAnswer parsed, ParseAnswer(answer.text));
    const bool cut = !answer.complete || !parsed.whole || !questions[i].whole;
    if (parsed.leaves.empty() && !cut) continue;
    ASSIGN_OR_RETURN(const bool lacks, LacksValues(schema, parsed.document));
    answer.incomplete = lacks || cut;
    kept.push_back(std::move(answer));
  }
  return kept;
}

}  // namespace galen::extract
