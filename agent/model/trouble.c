/* agent/model/trouble.c: the table of troubles, and one of them as a member of the document `doctor`. */
#include "model/trouble.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"

#define OF_KIND_MAX 100

static const struct { enum grade grade; const char *code, *remedy; } troubles[] = {
#define TROUBLE_ROW(name, grade, code, remedy) { GRADE_##grade, code, remedy },
	TROUBLES(TROUBLE_ROW)
};
static const char *const grades[] = { "?", "error", "warning", "hint" };

const char *
trouble_code(enum trouble what)
{
	assert(what < TROUBLE_N);
	return troubles[what].code;
}

const char *
grade_word(enum grade g)
{
	return grades[g < nitems(grades) ? g : 0];
}

enum grade
grade_value(const char *word)
{
	for (size_t i = GRADE_ERROR; i <= GRADE_HINT; i++)
		if (str_eq(word, grades[i]))
			return (enum grade)i;
	return 0;
}

struct troubles
troubles_new(void)
{
	return (struct troubles){ .list = json_array() };
}

/* Names from files and devices are cleaned here, whatever was done to them before. */
static void
set_text(json_t *o, const char *key, const char *value)
{
	char clean[TEXT_MAX + 1];

	if (value == NULL || value[0] == '\0')
		return;
	text_clean(clean, sizeof clean, value, strlen(value));
	json_object_set_new(o, key, json_string(clean));
}

static json_t *
at_json(const struct trouble_at *at)
{
	json_t *o = json_object();

	set_text(o, "switch", at->switch_name);
	set_text(o, "port", at->port);
	if (at->if_index != 0)
		json_object_set_new(o, "ifIndex", json_integer(at->if_index));
	set_text(o, "receiver", at->receiver);
	set_text(o, "credential", at->credential);
	set_text(o, "process", at->process);
	set_text(o, "file", at->file);
	if (at->line != 0)
		json_object_set_new(o, "line", json_integer(at->line));
	return o;
}

void
trouble_add(struct troubles *t, enum trouble what, struct trouble_at at, const char *fmt, ...)
{
	char line[1024], text[TEXT_MAX + 1];
	va_list ap;

	assert(what < TROUBLE_N);
	if (++t->of_kind[what] > OF_KIND_MAX) {
		t->omitted++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	text_clean(text, sizeof text, line, strlen(line));
	json_array_append_new(t->list, json_pack("{s:s, s:s, s:o, s:s, s:s}", "code", troubles[what].code, "severity",
	    grade_word(troubles[what].grade), "what", at_json(&at), "text", text, "remedy", troubles[what].remedy));
}
