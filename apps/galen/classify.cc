// galen classify: images by the checkpoint's own head, or by labels in words.
#include <iostream>
#include <optional>

#include "classify_output.h"
#include "commands.h"
#include "formats/model_digest.h"
#include "image_text_session.h"
#include "label_list.h"
#include "run_record.h"
#include "session.h"

namespace galen::cli {
namespace {

struct ClassifyOptions : ImageTextOptions {
  std::vector<std::string> labels;
  std::string labels_file;
  std::string pattern = "{}";
  std::string scores;  // empty: what the model was trained for
  std::optional<double> threshold;
  std::string out;
  bool csv = false;
  bool resume = false;

  bool zero_shot() const { return !labels.empty() || !labels_file.empty(); }
};

// Turns batches of images into logits; the same for a head and for labels in words.
class Classifier {
 public:
  // Fills everything of *header but the notes of the tower.
  static Result<Classifier> Create(const ClassifyOptions& o, const ImageTextSession& session,
                                   ClassifyHeader* header);

  std::vector<float> Logits(std::span<const Image> images, Compute compute) const {
    DualEncoderRunner& runner = *session_->runner;
    runner.set_compute(compute);
    if (texts_.empty()) return runner.ClassifyImages(*session_->preparer, images);
    return runner.ImageTextLogits(runner.EmbedImages(*session_->preparer, images), texts_);
  }
  ScoreKind kind() const { return kind_; }

 private:
  explicit Classifier(const ImageTextSession& session) : session_(&session) {}
  Status UseHead(const ClassifyOptions& o, ClassifyHeader* header);
  Status UseLabels(const ClassifyOptions& o, ClassifyHeader* header);

  const ImageTextSession* session_;
  std::vector<float> texts_;  // embeddings of the labels
  ScoreKind kind_ = ScoreKind::kSigmoid;
};

Status Classifier::UseHead(const ClassifyOptions& o, ClassifyHeader* header) {
  const ClassifierConfig& head = *session_->config().classifier;
  kind_ = head.multi_label ? ScoreKind::kSigmoid : ScoreKind::kSoftmax;
  header->labels = head.labels;
  header->thresholds = head.thresholds;
  const std::string trained = head.multi_label ? "sigmoid" : "softmax";
  if (!o.scores.empty() && o.scores != trained) {
    return InvalidArgument("the head of " + o.model + " was trained for " + trained +
                           " scores (problem_type); --scores " + o.scores + " would mean nothing");
  }
  return OkStatus();
}

Status Classifier::UseLabels(const ClassifyOptions& o, ClassifyHeader* header) {
  const DualEncoderConfig& config = session_->config();
  const bool siglip = config.family == DualEncoderFamily::kSiglip;
  if (!siglip && o.scores == "sigmoid") {
    return InvalidArgument(
        "CLIP compares labels with each other and has no bias for a single one; "
        "use --scores softmax");
  }
  kind_ = o.scores == "softmax" || !siglip ? ScoreKind::kSoftmax : ScoreKind::kSigmoid;
  ASSIGN_OR_RETURN(header->labels,
                   o.labels.empty() ? LabelsOfFile(o.labels_file) : LabelsOfArguments(o.labels));
  ASSIGN_OR_RETURN(const std::vector<std::string> texts, FillTemplate(o.pattern, header->labels));
  ASSIGN_OR_RETURN(const auto ids, EncodeTexts(*session_->text, texts, &header->notes));
  session_->runner->set_compute(session_->compute == Compute::kInt8 ? Compute::kBf16
                                                                    : session_->compute);
  texts_ = session_->runner->EmbedTexts(ids);
  return OkStatus();
}

Result<Classifier> Classifier::Create(const ClassifyOptions& o, const ImageTextSession& session,
                                      ClassifyHeader* header) {
  Classifier classifier(session);
  RETURN_IF_ERROR(o.zero_shot() ? classifier.UseLabels(o, header) : classifier.UseHead(o, header));
  header->model = session.config().name;
  header->preprocessing = FramingName(session.framing);
  header->scores = classifier.kind_ == ScoreKind::kSigmoid ? "sigmoid" : "softmax";
  if (o.threshold) {
    header->thresholds.assign(header->labels.size(), static_cast<float>(*o.threshold));
  }
  return classifier;
}

// What rows of one file have in common.
Result<Json> RowSettings(const ClassifyOptions& o, const ClassifyHeader& header,
                         const ImageItems& pictures) {
  ASSIGN_OR_RETURN(const DualEncoderFiles files, ReadDualEncoder(o.model));
  ASSIGN_OR_RETURN(const std::string digest, ModelDigest(*files.checkpoint));
  Json settings = {{"model", header.model},
                   {"model_digest", digest},
                   {"labels", header.labels},
                   {"scores", header.scores},
                   {"thresholds", header.thresholds},
                   {"template", o.zero_shot() ? Json(o.pattern) : Json()},
                   {"preprocessing", header.preprocessing},
                   {"compute", o.compute},
                   {"activations", o.activations}};
  // Rows are named by the numbers of files there.
  if (!pictures.dicom_digest().empty()) settings["dicom_files"] = pictures.dicom_digest();
  return settings;
}

// Before anything large is read.
Status CheckRequest(const ClassifyOptions& o) {
  ASSIGN_OR_RETURN(const DualEncoderFiles files, ReadDualEncoder(o.model));
  const DualEncoderConfig& config = files.config;
  if (!o.zero_shot()) {
    if (!config.classifier) {
      return InvalidArgument(o.model +
                             " has no classification head; name classes in words with "
                             "--labels or --labels-file");
    }
    return OkStatus();
  }
  if (!config.text) {
    return NotFound(o.model +
                    " has no text tower, so labels in words cannot be compared with its "
                    "images" +
                    (config.classifier ? "; leave --labels out to use its own head" : ""));
  }
  if (!config.similarity) {
    return NotFound(o.model + ": logit_scale is missing; images and texts cannot be compared");
  }
  return OkStatus();
}

Status Classify(ClassifyOptions o) {
  ASSIGN_OR_RETURN(o.model, PathOfModel(o.model));
  RETURN_IF_ERROR(CheckRequest(o));
  ClassifyHeader header;
  ASSIGN_OR_RETURN(ImageItems pictures,
                   ImageItems::Open(o.images, o.dicom, o.keep_identity, &header.notes));
  ASSIGN_OR_RETURN(const auto session, OpenImageTextSession(o, true, o.zero_shot()));
  ASSIGN_OR_RETURN(const Classifier classifier, Classifier::Create(o, *session, &header));
  std::unique_ptr<ClassifyOutput> output;
  if (o.csv) {
    Json settings;
    if (!o.out.empty()) {
      ASSIGN_OR_RETURN(settings, RowSettings(o, header, pictures));
    }
    ASSIGN_OR_RETURN(std::unique_ptr<CsvOutput> csv,
                     CsvOutput::Open(header, o.out, o.resume, settings));
    pictures.EraseIf([&](const std::string& source) { return csv->done().count(source) != 0; });
    output = std::move(csv);
  } else {
    output = o.json ? MakeJsonOutput(header, o.out) : MakeTableOutput(header);
  }
  const auto labels = static_cast<int64_t>(header.labels.size());
  Json more = Json::object();
  int64_t failed = 0;
  const auto visit = [&](std::span<const StreamedImage> items,
                         std::span<const Image> images) -> Status {
    std::vector<float> logits;
    if (!images.empty()) logits = classifier.Logits(images, session->compute);
    if (!images.empty() && session->compute == Compute::kInt8 && !more.contains("int8")) {
      const std::vector<float> exact = classifier.Logits(images, Compute::kBf16);
      more["int8"] = AgreementJson(CompareRows(logits, exact, labels), images.size());
      more["int8_text"] = AgreementText(more["int8"]);
    }
    int64_t row = 0;
    for (const StreamedImage& item : items) {
      ClassifyRow result{pictures.Source(item.index),
                         item.status.message(),
                         {},
                         item.warnings,
                         pictures.Identity(item.index)};
      if (!o.json) ShowImageWarnings(result.source, result.warnings);
      if (item.status.ok()) {
        result.scores = Scores({logits.data() + row++ * labels, static_cast<size_t>(labels)},
                               classifier.kind());
      } else {
        ++failed;
      }
      RETURN_IF_ERROR(output->Write(result));
    }
    return OkStatus();
  };
  RETURN_IF_ERROR(VisitImages(*session, pictures, o.batch, visit));
  more["failed"] = failed;
  RETURN_IF_ERROR(output->Finish(more));
  if (failed > 0) {
    return DataLoss(std::to_string(failed) + " of " + std::to_string(pictures.count()) +
                    " images could not be read; their rows say why");
  }
  return OkStatus();
}

}  // namespace

void AddClassify(CLI::App& app, Action* action) {
  auto o = std::make_shared<ClassifyOptions>();
  CLI::App* verb = app.add_subcommand(
      "classify", "Images by the model's own classification head, or by labels in words");
  AddImageTextOptions(*verb, o.get());
  CLI::Option* labels =
      verb->add_option("--labels", o->labels, "Classes in words, parted by commas");
  verb->add_option("--labels-file", o->labels_file, "Classes in words, one a line")
      ->type_name("FILE")
      ->excludes(labels);
  verb->add_option("--template", o->pattern, "Text of a class; {} is the label")
      ->capture_default_str();
  verb->add_option("--scores", o->scores,
                   "sigmoid: each class by itself; softmax: the classes against each other")
      ->check(CLI::IsMember({"sigmoid", "softmax"}));
  verb->add_option("--threshold", o->threshold, "Classes with at least this score are positive")
      ->check(CLI::Range(0.0, 1.0));
  CLI::Option* csv = verb->add_flag("--csv", o->csv, "One row an image");
  verb->add_flag("--json", o->json, "One JSON object")->excludes(csv);
  CLI::Option* out =
      verb->add_option("--out", o->out, "Write --csv or --json to this file")->type_name("FILE");
  verb->add_flag("--resume", o->resume,
                 "Keep the rows that the file of --out has already, if they were made alike")
      ->needs(csv)
      ->needs(out);
  verb->callback([o, action] {
    if (o->images.empty() && o->dicom.empty()) {
      throw CLI::RequiredError("--image or --dicom");
    }
    if (!o->out.empty() && !o->csv && !o->json) {
      throw CLI::ValidationError("--out", "needs --csv or --json");
    }
    *action = [o] { return Classify(*o); };
  });
}

}  // namespace galen::cli
