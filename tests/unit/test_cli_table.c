/* tests/unit/test_cli_table.c: tables fit, keep what identifies, and no cell can break the terminal or the spreadsheet. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"

static const struct table_column columns[] = { { "MAC", 0, 0 }, { "MAKER", 1, 6 }, { "SITE", 3, 4 }, { "NOTE", 2, 0 } };

static char *
printed(const char *const *cells, size_t rows, size_t width, bool csv)
{
	struct table *t = table_new(columns, 4);
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (size_t i = 0; i < rows; i++)
		table_row(t, cells + 4 * i);
	assert_int_equal(table_rows(t), rows);
	if (csv)
		table_csv(t, f, true);
	else
		table_print(t, f, width, false);
	fclose(f);
	table_free(t);
	return text;
}

static size_t
widest(const char *text)
{
	char *copy = strdup(text), *save = NULL;
	size_t most = 0;

	for (char *line = strtok_r(copy, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
		if (line[0] != '(' && text_width(line) > most)
			most = text_width(line);
	free(copy);
	return most;
}

static void
a_table_fits_and_keeps_what_identifies(void **state)
{
	static const char *const cells[] = { "44:19:b6:01:02:03", "Hangzhou Hikvision Digital Technology", "headquarters", "seen today",
		"44:19:b6:01:02:04", "", "", "" };

	(void)state;
	for (size_t width = 17; width < 120; width++) {
		char *text = printed(cells, 2, width, false);

		assert_true(widest(text) <= width);
		assert_non_null(strstr(text, "44:19:b6:01:02:03"));
		assert_non_null(strstr(text, "44:19:b6:01:02:04"));
		assert_true((strstr(text, "SITE") == NULL) == (strstr(text, " column") != NULL));
		free(text);
	}
	char *text = printed(cells, 2, 0, false);

	assert_non_null(strstr(text, "Hangzhou Hikvision Digital Technology"));
	free(text);
	text = printed(cells, 2, 5, false);		/* too narrow for all: a line may wrap, a MAC is not cut */
	assert_non_null(strstr(text, "44:19:b6:01:02:03"));
	free(text);
}

static void
wide_and_combining_characters_count_as_shown(void **state)
{
	static const char *const cells[] = { "44:19:b6:01:02:03", "摄像机摄像机摄像机", "Bu\xcc\x88ro", "x", "44:19:b6:01:02:04", "y", "Buro", "z" };
	char *text = printed(cells, 2, 40, false), *first, *second;

	(void)state;
	assert_int_equal(text_width("摄像机"), 6);
	assert_int_equal(text_width("Bu\xcc\x88ro"), 4);
	assert_true(widest(text) <= 40);
	first = strchr(text, '\n') + 1;
	second = strchr(first, '\n') + 1;
	*strchr(first, '\n') = *strchr(second, '\n') = '\0';
	assert_int_equal(text_width(first), text_width(second));
	free(text);
}

static void
no_cell_breaks_the_terminal(void **state)
{
	static const char *const cells[] = { "44:19:b6:01:02:03", "a\033[2J\033]0;x\007b", "c\nd\r\te", "\xe2\x80\xae" "f\xc2\x9b" "31mg\x7f" };
	char *text = printed(cells, 1, 0, false);

	(void)state;
	for (const char *p = text; *p != '\0'; p++)
		assert_true((unsigned char)*p >= 0x20 || *p == '\n');
	assert_null(strstr(text, "\xe2\x80\xae"));
	assert_null(strstr(text, "\xc2\x9b"));
	assert_non_null(strstr(text, "c d e"));
	free(text);
}

static void
csv_is_rfc_4180_without_formulas(void **state)
{
	static const char *const cells[] = { "a,b", "say \"hi\"", "=HYPERLINK(\"x\")", "", "+1", "-2", "@SUM(A1)", "plain" };
	char *text = printed(cells, 2, 0, true);

	(void)state;
	assert_string_equal(text, "MAC,MAKER,SITE,NOTE\r\n\"a,b\",\"say \"\"hi\"\"\",\"'=HYPERLINK(\"\"x\"\")\",\r\n'+1,'-2,'@SUM(A1),plain\r\n");
	free(text);
}

static void
columns_of_the_environment_win(void **state)
{
	(void)state;
	setenv("COLUMNS", "132", 1);
	assert_int_equal(terminal_width(), 132);
	setenv("COLUMNS", "wide", 1);
	assert_true(terminal_width() != 132);
	unsetenv("COLUMNS");
	setenv("NO_COLOR", "1", 1);
	assert_false(terminal_colour());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_fits_and_keeps_what_identifies), cmocka_unit_test(wide_and_combining_characters_count_as_shown),
		cmocka_unit_test(no_cell_breaks_the_terminal), cmocka_unit_test(csv_is_rfc_4180_without_formulas),
		cmocka_unit_test(columns_of_the_environment_win),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
