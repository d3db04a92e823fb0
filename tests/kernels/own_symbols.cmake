# SPDX-License-Identifier: Apache-2.0
# Fails if an object of one instruction set offers the linker a function that
# other objects may share (a weak symbol outside its namespace): the linker
# keeps one copy, and an old CPU would meet an instruction it does not know.
set(failed FALSE)
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} -C --defined-only ${object}
                  OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE ";" "," symbols "${symbols}")
  string(REPLACE "\n" ";" symbols "${symbols}")
  foreach(symbol IN LISTS symbols)
    if(symbol MATCHES " [WVu] " AND NOT symbol MATCHES "sluice::${NAMESPACE}::")
      message(NOTICE "${object}: ${symbol}")
      set(failed TRUE)
    endif()
  endforeach()
endforeach()
if(failed)
  message(FATAL_ERROR "shared symbols in the ${NAMESPACE} path; replace the "
    "inline function by a local one, see kernels/cpu/simd.hpp")
endif()
