#include "formats/checkpoint.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "formats/test_files.h"

namespace galen {
namespace {

std::string TinyGguf(uint32_t type = 0) {
  Bytes b;
  b.GgufHeader(2, 1).Key("general.architecture", GgufType::kString).Str("llama");
  b.TensorEntry("blk.0.attn_q.weight", {32, 2}, type, 0)
      .TensorEntry("output_norm.weight", {8}, 0, 256)
      .Pad(32, 256 + 32);
  return b.string();
}

std::string TinySafetensors(const std::string& name, const std::string& dtype = "BF16") {
  return Safetensors("{\"" + name + "\":{\"dtype\":\"" + dtype +
                         "\",\"shape\":[2,2],\"data_offsets\":[0,8]}}",
                     8)
      .string();
}

TEST(Checkpoint, OpensGguf) {
  const TemporaryDirectory directory;
  const std::string path =
      directory.Write("model.bin", TinyGguf());  // told by content, not by name
  const auto checkpoint = OpenCheckpoint(path);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  EXPECT_EQ((*checkpoint)->kind(), CheckpointKind::kGguf);
  ASSERT_NE((*checkpoint)->gguf(), nullptr);
  EXPECT_EQ((*checkpoint)->gguf()->GetString("general.architecture").value(), "llama");
  const auto tensor = (*checkpoint)->Find("output_norm.weight");
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ((*tensor)->shape, std::vector<int64_t>{8});
  (*checkpoint)->DropPages(**tensor);
  EXPECT_EQ((*tensor)->bytes[0], 0);  // still readable
}

TEST(Checkpoint, MissingTensorNamesItAndTheNearest) {
  const TemporaryDirectory directory;
  const auto checkpoint = OpenCheckpoint(directory.Write("m.gguf", TinyGguf()));
  ASSERT_TRUE(checkpoint.ok());
  EXPECT_FALSE((*checkpoint)->Has("blk.0.attn_q.weigth"));
  ExpectError((*checkpoint)->Find("blk.0.attn_q.weigth").status(), StatusCode::kNotFound,
              {"m.gguf", "\"blk.0.attn_q.weigth\" is missing",
               "most similar name is \"blk.0.attn_q.weight\""});
  const Status far = (*checkpoint)->Find("vision_tower.encoder.layers.11.mlp.fc1.bias").status();
  ExpectError(far, StatusCode::kNotFound, {"vision_tower"});
  EXPECT_EQ(far.message().find("similar"), std::string::npos);
}

TEST(Checkpoint, ForeignTypesAreRefusedWhenUsed) {
  const TemporaryDirectory directory;
  const auto gguf = OpenCheckpoint(directory.Write("m.gguf", TinyGguf(39)));
  ASSERT_TRUE(gguf.ok()) << gguf.status().message();
  EXPECT_TRUE((*gguf)->Find("output_norm.weight").ok());
  ExpectError((*gguf)->Find("blk.0.attn_q.weight").status(), StatusCode::kUnsupported,
              {"m.gguf", "\"blk.0.attn_q.weight\"", "mxfp4", "use a file"});
  const auto safetensors =
      OpenCheckpoint(directory.Write("m.safetensors", TinySafetensors("w", "U16")));
  ASSERT_TRUE(safetensors.ok()) << safetensors.status().message();
  ExpectError((*safetensors)->Find("w").status(), StatusCode::kUnsupported, {"\"w\"", "U16"});
}

TEST(Checkpoint, OpensSafetensorsFileAndDirectory) {
  const TemporaryDirectory directory;
  const std::string path = directory.Write("model.safetensors", TinySafetensors("w"));
  for (const std::string& opened : {path, directory.path(), directory.path() + "/"}) {
    const auto checkpoint = OpenCheckpoint(opened);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    EXPECT_EQ((*checkpoint)->kind(), CheckpointKind::kSafetensors);
    EXPECT_EQ((*checkpoint)->path(), opened);
    EXPECT_EQ((*checkpoint)->gguf(), nullptr);
    EXPECT_FALSE((*checkpoint)->directory().empty());
    EXPECT_EQ((*checkpoint)->Find("w").value()->dtype, DType::kBF16);
  }
}

TEST(Checkpoint, Shards) {
  const TemporaryDirectory directory;
  const auto open = [&] { return OpenCheckpoint(directory.path()); };
  const auto index = [&](const std::string& map) {
    directory.Write("model.safetensors.index.json", "{\"weight_map\":{" + map + "}}");
  };
  directory.Write("m-1.safetensors", TinySafetensors("a"));
  index(R"("a":"m-1.safetensors","b":"m-2.safetensors")");
  ExpectError(open().status(), StatusCode::kNotFound,
              {"m-2.safetensors", "shard", "missing", "download"});

  directory.Write("blob", TinySafetensors("b"));
  ASSERT_EQ(::symlink("blob", (directory.path() + "/m-2.safetensors").c_str()),
            0);  // as the Hugging Face cache does
  const auto checkpoint = open();
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  ASSERT_EQ((*checkpoint)->tensors().size(), 2u);
  EXPECT_EQ((*checkpoint)->tensors()[0].name, "a");
  (*checkpoint)->DropPages((*checkpoint)->tensors()[1]);
  EXPECT_EQ((*checkpoint)->tensors()[1].bytes[7], 0x11);

  index(R"("a":"m-1.safetensors","b":"m-2.safetensors","c":"m-2.safetensors")");
  ExpectError(open().status(), StatusCode::kDataLoss,
              {"m-2.safetensors", "tensor \"c\" is missing"});
  index(R"("a":"m-1.safetensors","c":"m-2.safetensors")");
  ExpectError(open().status(), StatusCode::kDataLoss,
              {"m-2.safetensors", "tensor \"b\"", "does not place there"});
  index(R"("a":"../m-1.safetensors")");
  ExpectError(open().status(), StatusCode::kDataLoss, {"index.json", "\"a\"", "same directory"});
  index(R"("a":"m-1.safetensors)");
  ExpectError(open().status(), StatusCode::kDataLoss, {"index.json", "invalid JSON"});

  directory.Write("m-1.safetensors", TinySafetensors("a").substr(0, 40));
  index(R"("a":"m-1.safetensors")");
  ExpectError(open().status(), StatusCode::kDataLoss, {"m-1.safetensors", "truncated"});
}

TEST(Checkpoint, WhatIsNoModelSaysWhatToDo) {
  const TemporaryDirectory directory;
  ExpectError(OpenCheckpoint(directory.path() + "/none.gguf").status(), StatusCode::kNotFound,
              {"none.gguf"});
  ExpectError(OpenCheckpoint(directory.path()).status(), StatusCode::kNotFound,
              {directory.path(), "model.safetensors", "download"});
  directory.Write("pytorch_model.bin", "x");
  ExpectError(OpenCheckpoint(directory.path()).status(), StatusCode::kNotFound,
              {"pickled", "save the model as safetensors"});
  directory.Write("adapter_model.safetensors", "x");
  ExpectError(OpenCheckpoint(directory.path()).status(), StatusCode::kNotFound,
              {"adapter", "base model"});
  directory.Write("m.gguf", TinyGguf());
  ExpectError(OpenCheckpoint(directory.path()).status(), StatusCode::kNotFound,
              {"m.gguf", "name that file"});
  ExpectError(OpenCheckpoint(directory.Write("empty.gguf", "")).status(), StatusCode::kDataLoss,
              {"empty.gguf", "is empty"});
  ExpectError(OpenCheckpoint(directory.Write("page.gguf", "<html>404</html>")).status(),
              StatusCode::kDataLoss, {"page.gguf", "not a GGUF file", "<htm"});
  ExpectError(
      OpenCheckpoint(directory.Write("page.safetensors", "<html>404 not found</html>")).status(),
      StatusCode::kDataLoss, {"page.safetensors", "header length"});
}

TEST(Checkpoint, SplitGgufIsRefused) {
  const TemporaryDirectory directory;
  Bytes b;
  b.GgufHeader(0, 1).Key("split.count", GgufType::kU16).Put<uint16_t>(3);
  ExpectError(OpenCheckpoint(directory.Write("m-00001-of-00003.gguf", b.string())).status(),
              StatusCode::kUnsupported, {"one of 3 parts", "--merge"});
}

}  // namespace
}  // namespace galen
