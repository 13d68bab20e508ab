#!/bin/sh
# Two small real models read a clinical note and answer a question about it, streaming.
# usage: demo_text.sh GALEN MODELS_DIR NOTE
set -eu
galen=$1 models=$2 note=$3
question="What is the main diagnosis? Answer in one sentence."

echo
echo "The note: $note ($(wc -w <"$note") words)"
sed -n '6,12p' "$note" | sed 's/^/  | /'
echo "  | ..."
echo "The question: $question"

echo
echo "SmolLM2 135M Instruct (Q4_1), asked through its own chat template:"
"$galen" run "$models/SmolLM2-135M-Instruct.Q4_1.gguf" "$question" --file "$note" --max-tokens 64 --temperature 0

# This Gemma is the pre-trained one: it continues text, so the question is put as text to continue.
echo
echo "Gemma 3 270M (Q4_K_M), a base model: it is pre-trained only, not tuned to follow instructions, so it is not asked but"
echo "given the note and the question as a text to continue. What it writes is a continuation, not an answer to be judged:"
"$galen" run "$models/gemma-3-270m-q4_k_m.gguf" "Question: $question
Answer:" --file "$note" --raw --stop "
" --max-tokens 64 --temperature 0

echo
echo "These are the smallest real models there are; they show the engine, not medical skill. Try your own:"
echo "  $galen serve $models/SmolLM2-135M-Instruct.Q4_1.gguf       then open http://127.0.0.1:11434 in a browser: documents, chat"
echo "  $galen run MODEL.gguf --file NOTE.txt \"QUESTION\"       $galen run MODEL.gguf   (chat)"
