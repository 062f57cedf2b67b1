// What Glibc's module map leaves out.
#pragma once

/// glibc gives each thread a heap of its own, which nearly doubles what little memory Bellhop needs. Call it first.
void bh_share_heap(void);
