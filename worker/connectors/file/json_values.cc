#include "worker/connectors/file/json_values.h"

#include "common/base/status.h"
#include "worker/connectors/file/json_row_parser.h"

namespace millrace {

std::vector<std::string> JsonColumns::keys() const {
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

absl::Status AppendJsonValues(const JsonRowParser& parser, const JsonColumns& columns,
                              RowBatchBuilder& batch, RowFault* fault) {
  for (size_t i = 0; i < columns.outputs.size(); ++i) {
    const JsonValue& value = parser.values()[i];
    ColumnBuilder& builder = batch.column(columns.outputs[i]);
    MR_RETURN_IF_ERROR(builder.Reserve(1, static_cast<int64_t>(value.text.size())));
    const Field& field = columns.fields[i];
    const bool fits = value.kind != JsonValue::Kind::kNested || field.type.is_string();
    // simdjson has checked the line; only "\\u0000" can still be wrong.
    builder.set_check_text(value.text.find('\0') != absl::string_view::npos);
    if (value.kind == JsonValue::Kind::kNull) {
      builder.AppendNull();
    } else if (!fits || !builder.AppendText(value.text)) {
      builder.AppendNull();
      if (!fault->reason.ok()) continue;
      fault->column = field.name;
      fault->reason = builder.ExplainFailure(value.text);
    }
  }
  return absl::OkStatus();
}

}  // namespace millrace
