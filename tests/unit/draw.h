/* tests/unit/draw.h: numbers that look drawn and are the same in every run; print `seed` beside what is made of them. */
#ifndef TESTS_UNIT_DRAW_H
#define TESTS_UNIT_DRAW_H

static unsigned seed = 20261124;

static unsigned
draw(unsigned below)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % below;
}
#endif
