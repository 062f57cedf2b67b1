// What Glibc's module map leaves out.
#pragma once

#include <spawn.h>
#include <stddef.h>

/// glibc gives each thread a heap of its own, which nearly doubles what little memory Bellhop needs. Call it first.
void bh_share_heap(void);

/// memmem: where a part begins in a text, or NULL; in time linear in both.
const void *bh_find(const void *text, size_t length, const void *part, size_t part_length);

/// posix_spawn_file_actions_addclosefrom_np: the child keeps no descriptor from `first` on.
int bh_spawn_close_from(posix_spawn_file_actions_t *actions, int first);
