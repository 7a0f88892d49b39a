#include "memrev/Analysis/Plan.h"
#include "memrev/Pipelines/Passes.h"
#include "memrev/Nowhere/Passes.h"
