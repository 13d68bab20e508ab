#include "data/synth/synth.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "base/files.h"
#include "data/json_lines.h"
#include "data/synth/content.h"
#include "data/synth/degrade.h"
#include "data/synth/run_synth.h"
#include "data/synth/transform.h"
#include "media/image/decode.h"

namespace galen {
namespace {

SynthOptions Options(const std::string& kind) {
  SynthOptions o;
  o.kinds = {kind};
  o.count = 8;
  o.long_side = 800;
  o.gray = true;
  return o;
}

std::unique_ptr<SynthGenerator> Generator(const SynthOptions& o) {
  auto generator = SynthGenerator::Create(o);
  EXPECT_TRUE(generator.ok()) << generator.status().message();
  return std::move(generator).value();
}

SynthFiles Make(SynthGenerator* generator, int64_t index) {
  auto files = generator->Make(index);
  EXPECT_TRUE(files.ok()) << files.status().message();
  return std::move(files).value();
}

OrderedJson Truth(const SynthFiles& files) { return *ParseOrderedJson(files.truth); }

TEST(Synth, ADocumentDependsOnSeedAndIndexAlone) {
  for (const SynthFormat format : {SynthFormat::kPng, SynthFormat::kJpeg, SynthFormat::kPdf}) {
    SynthOptions o = Options("lab_report");
    o.format = format;
    o.level = SynthLevel::kMixed;
    const auto one = Generator(o);
    o.count = 100;
    const auto two = Generator(o);
    for (int64_t i = 0; i < 4; ++i) Make(two.get(), i);
    const SynthFiles a = Make(one.get(), 5), b = Make(two.get(), 5);
    ASSERT_EQ(a.files.size(), b.files.size());
    for (size_t f = 0; f < a.files.size(); ++f) EXPECT_EQ(a.files[f].bytes, b.files[f].bytes);
    EXPECT_EQ(a.truth, b.truth);
    EXPECT_EQ(a.sample, b.sample);
    o.seed = 1;
    EXPECT_NE(Make(Generator(o).get(), 5).truth, a.truth);
  }
}

// The truth's properties stand in the order of the schema, which is the order in which decoding
// under it writes them.
void ExpectOrder(const OrderedJson& value, const OrderedJson& schema, const OrderedJson& root,
                 const std::string& at) {
  if (schema.contains("$ref")) {
    ExpectOrder(value, root["$defs"]["patient"], root, at);
    return;
  }
  if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i)
      ExpectOrder(value[i], schema["items"], root, at + "/" + std::to_string(i));
    return;
  }
  if (!value.is_object()) return;
  std::vector<std::string> have, want;
  for (const auto& [name, _] : value.items()) have.push_back(name);
  for (const auto& [name, _] : schema["properties"].items()) want.push_back(name);
  EXPECT_EQ(have, want) << at;
  for (const auto& [name, part] : value.items())
    ExpectOrder(part, schema["properties"][name], root, at + "/" + name);
}

TEST(Synth, FieldsAreThoseOfTheSchemaInItsOrder) {
  for (const std::string_view kind : kDocumentKinds) {
    const std::string path =
        std::string(GALEN_SOURCE_DIR) + "/configs/schemas/" + std::string(kind) + ".json";
    const auto text = ReadFile(path);
    ASSERT_TRUE(text.ok()) << text.status().message();
    const OrderedJson schema = *ParseOrderedJson(*text);
    for (uint64_t i = 0; i < 6; ++i) {
      ContentOptions o;
      o.language = i % 3 == 0 ? "en" : i % 3 == 1 ? "fr" : "de";
      o.si = i % 2 == 1;
      Random random(7, i, 0);
      ExpectOrder(MakeContent(kind, o, &random).fields, schema, schema, std::string(kind));
    }
  }
}

// Values whose print is a mark or a word beside others, or none at all.
bool MayHaveNoBox(const std::string& key) {
  for (const char* end : {"/flag", "/modality", "/as_needed", "/rank"}) {
    const std::string_view tail = end;
    if (key.size() >= tail.size() && key.substr(key.size() - tail.size()) == tail) return true;
  }
  return false;
}

TEST(Synth, EachValueHasABoxWithInk) {
  for (const std::string_view kind : kDocumentKinds) {
    SynthOptions o = Options(std::string(kind));
    const auto generator = Generator(o);
    for (int64_t i = 0; i < 4; ++i) {
      const SynthFiles files = Make(generator.get(), i);
      const OrderedJson truth = Truth(files);
      std::vector<Image> pages;
      for (const auto& file : files.files) {
        const std::vector<uint8_t> bytes(file.bytes.begin(), file.bytes.end());
        auto image = DecodeImage(bytes);
        ASSERT_TRUE(image.ok()) << image.status().message();
        pages.push_back(std::move(image).value());
      }
      const OrderedJson flat = truth["fields"].flatten();
      for (const auto& [key, value] : flat.items()) {
        if (value.is_null() || value.empty() || MayHaveNoBox(key)) continue;
        ASSERT_TRUE(truth["boxes"].contains(key)) << kind << " " << i << " " << key;
      }
      for (const auto& [key, box] : truth["boxes"].items()) {
        ASSERT_EQ(box.size(), 5u);
        const Image& page = pages.at(box[4].get<size_t>() - 1);
        const auto x0 = static_cast<int64_t>(std::floor(box[0].get<double>()));
        const auto y0 = static_cast<int64_t>(std::floor(box[1].get<double>()));
        const auto x1 = static_cast<int64_t>(std::ceil(box[2].get<double>()));
        const auto y1 = static_cast<int64_t>(std::ceil(box[3].get<double>()));
        ASSERT_LT(x0, x1) << key;
        ASSERT_LT(y0, y1) << key;
        ASSERT_LE(x1, page.width) << key;
        ASSERT_LE(y1, page.height) << key;
        int darkest = 255;
        for (int64_t y = y0; y < y1; ++y) {
          for (int64_t x = x0; x < x1; ++x)
            darkest = std::min<int>(darkest, page.row(y)[x * page.channels]);
        }
        EXPECT_LT(darkest, 190) << kind << " " << i << " " << key;
      }
    }
  }
}

TEST(Synth, LevelsSayTheSame) {
  SynthOptions o = Options("lab_report");
  const OrderedJson clean = Truth(Make(Generator(o).get(), 3));
  for (const SynthLevel level : {SynthLevel::kScan, SynthLevel::kFax, SynthLevel::kPhoto}) {
    o.level = level;
    const OrderedJson other = Truth(Make(Generator(o).get(), 3));
    EXPECT_EQ(other["fields"], clean["fields"]);
    ASSERT_EQ(other["boxes"].size(), clean["boxes"].size());
    EXPECT_NE(other["boxes"], clean["boxes"]);
  }
}

TEST(Synth, HeldOutLayoutsAndFontsAreNeverTrainedOn) {
  SynthOptions o = Options("lab_report");
  std::map<bool, std::set<std::string>> layouts, fonts;
  for (const bool held_out : {false, true}) {
    o.layouts = o.fonts = held_out ? SynthSet::kHeldOut : SynthSet::kTrain;
    auto generator = SynthGenerator::Create(o);
    ASSERT_TRUE(generator.ok()) << generator.status().message();
    for (int64_t i = 0; i < 12; ++i) {
      const OrderedJson truth = Truth(Make(generator->get(), i));
      layouts[held_out].insert(truth["layout"].get<std::string>());
      fonts[held_out].insert(truth["font"].get<std::string>());
    }
  }
  for (const std::string& name : layouts[true]) EXPECT_EQ(layouts[false].count(name), 0u) << name;
  for (const std::string& name : fonts[true]) EXPECT_EQ(fonts[false].count(name), 0u) << name;
}

TEST(Synth, StripsHaveTheSizeAndTheRows) {
  SynthOptions o = Options("lab_report");
  o.strip = true;
  o.width = 256;
  o.height = 32;
  o.min_rows = o.max_rows = 1;
  const SynthFiles files = Make(Generator(o).get(), 2);
  const OrderedJson truth = Truth(files);
  EXPECT_EQ(truth["pages"][0]["width"], 256);
  EXPECT_EQ(truth["pages"][0]["height"], 32);
  EXPECT_EQ(truth["fields"].size(), 1u);
  EXPECT_EQ(truth["fields"]["results"].size(), 1u);
}

// All the results of a page are found line by line, each on the line where its box lies.
TEST(Synth, LinesSayWhatIsPrintedOnThem) {
  SynthOptions o = Options("lab_report");
  o.lines = true;
  o.one_page = true;
  o.long_side = 1024;
  const auto generator = Generator(o);
  int64_t results = 0, found = 0;
  for (int64_t i = 0; i < 8; ++i) {
    const SynthFiles files = Make(generator.get(), i);
    const OrderedJson truth = Truth(files);
    ASSERT_EQ(truth["lines"].size(), files.files.size());
    EXPECT_EQ(std::count(files.sample.begin(), files.sample.end(), '\n') + 1,
              static_cast<int64_t>(files.files.size()));
    OrderedJson rows = OrderedJson::array();
    std::set<std::string> names;
    for (const OrderedJson& line : truth["lines"]) {
      const std::string text = line["text"];
      for (const OrderedJson& row : line["fields"].value("results", OrderedJson::array()))
        EXPECT_NE(text.find(row["test"].get<std::string>()), std::string::npos) << line;
      for (const OrderedJson& row : line["fields"].value("results", OrderedJson::array()))
        rows.push_back(row);
      if (line["fields"].contains("patient") && line["fields"]["patient"].contains("name"))
        names.insert(line["fields"]["patient"]["name"].get<std::string>());
    }
    results += static_cast<int64_t>(truth["fields"]["results"].size());
    for (const OrderedJson& row : truth["fields"]["results"])
      found += std::count(rows.begin(), rows.end(), row);
    EXPECT_LE(rows.size(), truth["fields"]["results"].size() + 1);
    for (const std::string& name : names) EXPECT_EQ(name, truth["fields"]["patient"]["name"]);
    const std::string& bytes = files.files[0].bytes;
    const auto strip = DecodeImage({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
    ASSERT_TRUE(strip.ok());
  }
  EXPECT_GT(results, 40);
  EXPECT_GE(found * 100, results * 95);
  o.strip = true;
  EXPECT_NE(CheckSynthOptions(o).message().find("--lines"), std::string::npos);
}

TEST(Synth, TranscriptsAskForTheTextOfALine) {
  SynthOptions o = Options("lab_report");
  o.lines = o.transcripts = true;
  const SynthFiles files = Make(Generator(o).get(), 0);
  std::istringstream samples(files.sample);
  std::set<std::string> answers;
  for (std::string line; std::getline(samples, line);) {
    const auto conversation = ToConversation(*ParseOrderedJson(line));
    ASSERT_TRUE(conversation.ok());
    answers.insert(conversation->messages[1]["content"].get<std::string>());
  }
  int64_t asked = 0;
  const OrderedJson truth = Truth(files);
  for (const OrderedJson& line : truth["lines"])
    if (line["text"] != "") asked += static_cast<int64_t>(answers.count(line["text"].dump()));
  EXPECT_GE(asked, 10);
  o.lines = false;
  EXPECT_NE(CheckSynthOptions(o).message().find("--transcripts"), std::string::npos);
}

TEST(Synth, WordsAreThoseOfTheirLine) {
  SynthOptions o = Options("lab_report"), by_line = o;
  o.words = by_line.lines = true;
  const auto generator = Generator(o), lines = Generator(by_line);
  size_t printed = 0, found = 0;
  for (int64_t i = 0; i < 8; ++i) {
    std::multiset<std::string> left;
    const OrderedJson whole = Truth(Make(lines.get(), i));
    for (const OrderedJson& line : whole["lines"]) {
      std::istringstream text(line["text"].get<std::string>());
      for (std::string word; text >> word;) left.insert(word);
    }
    printed += left.size();
    const OrderedJson truth = Truth(Make(generator.get(), i));
    for (const OrderedJson& word : truth["words"]) {
      const auto at = left.find(word["text"].get<std::string>());
      ASSERT_NE(at, left.end()) << word;
      left.erase(at);
      ++found;
    }
  }
  EXPECT_GT(printed, 400u);
  EXPECT_GT(found, printed / 8);  // elsewhere the gaps of the ink are not those of the words
  o.lines = true;
  EXPECT_NE(CheckSynthOptions(o).message().find("--words"), std::string::npos);
}

TEST(Synth, ScrambledWordsKeepTheirFormAlone) {
  SynthOptions o = Options("lab_report"), plain = o;
  o.words = o.scramble = plain.words = true;
  const auto texts = [](const OrderedJson& truth, bool shape) {
    std::set<std::string> all;
    for (const OrderedJson& word : truth["words"]) {
      std::string text = word["text"].get<std::string>();
      for (char& c : text) {
        if (shape && c >= '0' && c <= '9') c = '0';
        if (shape && c >= 'a' && c <= 'z') c = 'a';
        if (shape && c >= 'A' && c <= 'Z') c = 'A';
      }
      all.insert(std::move(text));
    }
    return all;
  };
  const auto generator = Generator(o), usual = Generator(plain);
  size_t words = 0, kept = 0, forms = 0;
  for (int64_t i = 0; i < 4; ++i) {
    const OrderedJson truth = Truth(Make(generator.get(), i)), other = Truth(Make(usual.get(), i));
    EXPECT_TRUE(truth["fields"].empty() && truth["boxes"].empty());
    const std::set<std::string> known = texts(other, false), shapes = texts(other, true);
    for (const std::string& text : texts(truth, false)) {
      ++words;
      kept += text.size() > 3 ? known.count(text) : 0;
    }
    for (const std::string& shape : texts(truth, true)) forms += shapes.count(shape);
  }
  EXPECT_GT(words, 80u);
  EXPECT_LE(kept, words / 10);  // the notice at the foot stays
  EXPECT_GT(forms, words / 4);  // other letters are cut into other words here and there
  o.words = false;
  EXPECT_NE(CheckSynthOptions(o).message().find("--scramble"), std::string::npos);
}

TEST(Synth, SamplesAreConversationsForTraining) {
  const SynthFiles files = Make(Generator(Options("prescription")).get(), 0);
  const auto conversation = ToConversation(*ParseOrderedJson(files.sample));
  ASSERT_TRUE(conversation.ok()) << conversation.status().message();
  EXPECT_EQ(conversation->images.size(), files.files.size());
  EXPECT_EQ(*ParseOrderedJson(conversation->messages[1]["content"].get<std::string>()),
            Truth(files)["fields"]);
}

TEST(Synth, AFolderIsWholeOrNotThere) {
  const std::string out = ::testing::TempDir() + "synth_test_out";
  std::filesystem::remove_all(out);
  SynthOptions o = Options("diagnosis");
  o.count = 5;
  SynthOutput output{out, true, 2};
  const auto stopped = RunSynth(o, output, [](int64_t done) { return done < 2; });
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.status().code(), StatusCode::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(out));
  const auto done = RunSynth(o, output, [](int64_t) { return true; });
  ASSERT_TRUE(done.ok()) << done.status().message();
  EXPECT_EQ(done->documents, 5);
  const auto samples = JsonLines::Open({out + "/samples.jsonl"});
  ASSERT_TRUE(samples.ok());
  EXPECT_EQ(samples->size(), 5);
  for (int64_t i = 0; i < 5; ++i) EXPECT_TRUE(samples->Read(i).ok());
  EXPECT_FALSE(RunSynth(o, output, [](int64_t) { return true; }).ok());  // not empty any more
  for (const auto& entry : std::filesystem::directory_iterator(::testing::TempDir()))
    EXPECT_EQ(entry.path().string().find("synth_test_out.partial"), std::string::npos);
  std::filesystem::remove_all(out);
}

TEST(Synth, WrongOptionsAreNamed) {
  SynthOptions o = Options("lab_reprot");
  EXPECT_NE(CheckSynthOptions(o).message().find("did you mean 'lab_report'"), std::string::npos);
  o = Options("lab_report");
  o.count = 0;
  EXPECT_NE(CheckSynthOptions(o).message().find("--count"), std::string::npos);
  o = Options("lab_report");
  o.min_rows = 4;
  o.max_rows = 2;
  EXPECT_NE(CheckSynthOptions(o).message().find("--rows"), std::string::npos);
  o = Options("diagnosis");
  o.strip = true;
  EXPECT_NE(CheckSynthOptions(o).message().find("--strip"), std::string::npos);
}

TEST(Transform, CornersAndInverse) {
  const std::array<std::pair<double, double>, 4> corners = {
      std::pair{3.0, 5.0}, std::pair{91.0, 9.0}, std::pair{88.0, 77.0}, std::pair{-2.0, 70.0}};
  const Transform t = Transform::UnitSquareTo(corners);
  const double unit[4][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};
  for (size_t i = 0; i < 4; ++i) {
    const auto [x, y] = t.Map(unit[i][0], unit[i][1]);
    EXPECT_NEAR(x, corners[i].first, 1e-9);
    EXPECT_NEAR(y, corners[i].second, 1e-9);
    const auto [u, v] = t.Inverse().Map(x, y);
    EXPECT_NEAR(u, unit[i][0], 1e-9);
    EXPECT_NEAR(v, unit[i][1], 1e-9);
  }
}

// Dark squares of a page are found in the photo where the view says.
TEST(Photo, PixelsLieWhereTheViewSays) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Random random(seed);
    Image page{300, 400, 1, std::vector<uint8_t>(300 * 400, 255)};
    const int64_t left = random.Int(30, 240), top = random.Int(30, 340);
    for (int64_t y = top; y < top + 24; ++y) std::fill_n(page.row(y) + left, 24, uint8_t{0});
    const Transform view = PhotoView(300, 400, 360, 480, &random);
    const Image photo = Photo(page, view, 360, 480, &random);
    const auto [cx, cy] = view.Map(static_cast<double>(left) + 12, static_cast<double>(top) + 12);
    double sum = 0, sx = 0, sy = 0;
    for (int64_t y = static_cast<int64_t>(cy) - 24; y < static_cast<int64_t>(cy) + 24; ++y) {
      for (int64_t x = static_cast<int64_t>(cx) - 24; x < static_cast<int64_t>(cx) + 24; ++x) {
        if (x < 0 || y < 0 || x >= 360 || y >= 480 || photo.row(y)[x] > 90) continue;
        sum += 1;
        sx += static_cast<double>(x) + 0.5;
        sy += static_cast<double>(y) + 0.5;
      }
    }
    ASSERT_GT(sum, 100);
    EXPECT_NEAR(sx / sum, cx, 1.0) << seed;
    EXPECT_NEAR(sy / sum, cy, 1.0) << seed;
  }
}

}  // namespace
}  // namespace galen
