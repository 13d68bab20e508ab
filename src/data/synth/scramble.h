// Words that no language knows, for readers that are to look at each letter.
#pragma once

#include "data/synth/content.h"
#include "data/synth/random.h"

namespace galen {

// Every letter and digit of what the document prints becomes another of its class (a-z, A-Z, 0-9);
// marks, blanks and other letters stay. The fields go, since nothing printed says them.
void Scramble(Content* content, Random* random);

}  // namespace galen
