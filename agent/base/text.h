/* agent/base/text.h: the one sanitiser of device text (threat-model.md R2), and the encoders of sinks without a library.
 * Device text is octets with a length until text_clean() has made a C string of it. */
#ifndef CAMTRAPD_TEXT_H
#define CAMTRAPD_TEXT_H
#include <stddef.h>
#include <stdint.h>

#define TEXT_MAX 255			/* octets of cleaned text, without the NUL */

/* Valid UTF-8 of at most `size` - 1 octets, NUL-terminated: octets that are not UTF-8 are read as Latin-1 (but a last character
 * that came cut is dropped); white space becomes one blank; other control octets, bidi controls, zero-width and invisible characters
 * are left out; blanks at the ends too. Never cut inside a character; a cut text ends with "…". `size` > 0. Returns the length. */
size_t	text_clean(char *out, size_t size, const void *octets, size_t n);

/* A copy of `s` (already clean) of at most `size` - 1 octets, cut at a character with "…". Returns the length. */
size_t	text_cut(char *out, size_t size, const char *s);

/* printf of clean text, cut like text_cut(): a long name never leaves half a character. At most 1 KiB is looked at. Returns the length. */
size_t	text_printf(char *out, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Lower-case hexadecimal, "4419b6…", at most `size` - 1 digits. Returns the length. */
size_t	text_hex(char *out, size_t size, const void *octets, size_t n);
#endif
