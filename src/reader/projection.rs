//! The projection of a scan: the columns of its batches, in their order and with their names.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};

use crate::error::Result;
use crate::options::OutputColumn;
use crate::record::Plan;

/// The columns of a batch, in order, and their names.
#[derive(Debug, Clone)]
pub(crate) struct Projection {
    /// `None` where batches are those of the plan.
    columns: Option<Arc<[usize]>>,
    pub(crate) schema: SchemaRef,
}

impl Projection {
    /// These columns.
    pub(crate) fn of(plan: &Plan, outputs: &[OutputColumn]) -> Result<Self> {
        let (mut columns, mut fields) = (Vec::new(), Vec::new());
        for OutputColumn { name, field } in outputs {
            let column = plan.schema.index_of(field)?;
            columns.push(column);
            fields.push(plan.schema.field(column).clone().with_name(name));
        }
        if columns.iter().copied().eq(0..plan.columns.len()) && !outputs.iter().any(OutputColumn::is_renamed)
        {
            return Ok(Self { columns: None, schema: plan.schema.clone() });
        }
        Ok(Self { columns: Some(columns.into()), schema: Arc::new(Schema::new(fields)) })
    }

    /// The projected columns of `batch`. No data is copied.
    pub(crate) fn of_batch(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let Some(columns) = &self.columns else { return Ok(batch) };
        let columns = columns.iter().map(|&column| batch.column(column).clone()).collect();
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &rows)?)
    }
}
