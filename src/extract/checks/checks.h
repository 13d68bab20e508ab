// The checks of an answer against its pages and against the rules. Each adds verdicts to values.
#pragma once

#include "extract/checks/value.h"

namespace galen::extract {

// All of the following but CompareReaders. kind and pages must outlive the result.
CheckedAnswer CheckAnswer(const Kind& kind, const std::vector<SourcePage>& pages,
                          ParsedAnswer answer, std::span<const TokenSpan> tokens,
                          const CalendarDate& today);

// Rows of pages that Tesseract read, in which a value was not found that should stand there. Boxes
// are those of the level page.
std::vector<PagePart> RowsInDoubt(const CheckedAnswer& answer);
// Takes over what another reading of the pages (source/reread.h) settles: values that are found
// there in the row where they belong. `again` is a check of the same answer.
void AdoptConfirmed(CheckedAnswer* answer, const CheckedAnswer& again);

// source.found, source.elsewhere, source.not_found, source.not_checked.
void LocateValues(CheckedAnswer* answer);
// unit.*, range.*, flag.*, source.misread; sets unit_code and converted values.
void CheckMeasurements(CheckedAnswer* answer);
// date.impossible, date.order, date.future. `today` bounds dates from above.
void CheckDates(CheckedAnswer* answer, const CalendarDate& today);
// dose.*.
void CheckDoses(CheckedAnswer* answer);
// repeat.duplicate, repeat.contradiction, page.contradiction.
void CheckRepeats(CheckedAnswer* answer);
// reader.agrees, reader.differs: against a second reader's answer.
void CompareReaders(CheckedAnswer* answer, const CheckedAnswer& other);

}  // namespace galen::extract
