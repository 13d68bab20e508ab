#include "train/train_task.h"

#include "train/image_text/image_text_task.h"
#include "train/language_task.h"

namespace galen {

Result<std::unique_ptr<TrainTask>> MakeTrainTask(const TaskSetup& setup) {
  return setup.options->task == "language" ? MakeLanguageTask(setup) : MakeImageTextTask(setup);
}

}  // namespace galen
