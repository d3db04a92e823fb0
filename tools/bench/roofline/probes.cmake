# SPDX-License-Identifier: Apache-2.0
# The loops that measure a machine's limits: one file an instruction set, each
# with its own flags, and optimised in every build type, or they measure none.
set(probe_sources bench/roofline/probes.cpp bench/roofline/roofline.cpp
                  bench/roofline/portable.cpp)
set_source_files_properties(bench/roofline/portable.cpp PROPERTIES
  COMPILE_OPTIONS "-O3")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND probe_sources bench/roofline/avx2.cpp bench/roofline/avx512.cpp
                            bench/roofline/avx512_bf16.cpp bench/roofline/amx.cpp)
  set_source_files_properties(bench/roofline/probes.cpp PROPERTIES
    COMPILE_DEFINITIONS SLUICE_PROBES_X86)
  # GCC 12 takes the intrinsics' own temporaries for uninitialised.
  set(flags -O3 -mavx2 -mfma)
  set(flags_512 ${flags} -mavx512f -mavx512bw -mavx512dq -mavx512vl
                -Wno-uninitialized -Wno-maybe-uninitialized)
  set_source_files_properties(bench/roofline/avx2.cpp PROPERTIES
    COMPILE_OPTIONS "${flags}")
  set_source_files_properties(bench/roofline/avx512.cpp PROPERTIES
    COMPILE_OPTIONS "${flags_512};-mavx512vnni")
  set_source_files_properties(bench/roofline/avx512_bf16.cpp PROPERTIES
    COMPILE_OPTIONS "${flags_512};-mavx512bf16")
  set_source_files_properties(bench/roofline/amx.cpp PROPERTIES
    COMPILE_OPTIONS "-O3;-mamx-tile;-mamx-int8;-mamx-bf16")
endif()
