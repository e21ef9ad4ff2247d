/* agent/model/enums.c: words to values and back, from the lists in the header. */
#include "model/enums.h"

#include <string.h>

#include "base/num.h"

#define WORD(n, v, s) [v] = s,
static const char *const presences[] = { PRESENCES(WORD) };
static const char *const handlings[] = { HANDLINGS(WORD) };
static const char *const origins[] = { ORIGINS(WORD) };
static const char *const confidences[] = { CONFIDENCES(WORD) };
static const char *const severities[] = { SEVERITIES(WORD) };
static const char *const verdicts[] = { VERDICTS(WORD) };
static const char *const events[] = { EVENT_TYPES(WORD) };
static const char *const switch_states[] = { SWITCH_STATES(WORD) };
static const char *const reasons[] = { REASONS(WORD) };

static const char *
word_of(const char *const *words, size_t n, unsigned v)
{
	return v < n && words[v] != NULL ? words[v] : "?";
}

static unsigned
value_of(const char *const *words, size_t n, const char *word)
{
	for (size_t i = 1; i < n; i++)
		if (words[i] != NULL && strcmp(words[i], word) == 0)
			return (unsigned)i;
	return 0;
}

#define WORD_FUNCTION(name, words) const char *name(unsigned v) { return word_of(words, nitems(words), v); }
#define VALUE_FUNCTION(name, words) unsigned name(const char *word) { return value_of(words, nitems(words), word); }

WORD_FUNCTION(presence_word, presences)
WORD_FUNCTION(handling_word, handlings)
WORD_FUNCTION(origin_word, origins)
WORD_FUNCTION(confidence_word, confidences)
WORD_FUNCTION(severity_word, severities)
WORD_FUNCTION(verdict_word, verdicts)
WORD_FUNCTION(event_word, events)
WORD_FUNCTION(switch_state_word, switch_states)
WORD_FUNCTION(reason_word, reasons)
VALUE_FUNCTION(presence_value, presences)
VALUE_FUNCTION(handling_value, handlings)
VALUE_FUNCTION(origin_value, origins)
VALUE_FUNCTION(severity_value, severities)
