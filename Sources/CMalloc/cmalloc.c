#include "cmalloc.h"

#include <malloc.h>

void bh_share_heap(void) {
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 2);
#endif
}
