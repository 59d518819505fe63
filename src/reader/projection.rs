//! The projection of a scan: the columns of its batches, in their order and with their names.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};

use crate::error::Result;
use crate::options::OutputColumn;
use crate::record::Plan;

/// The columns of a batch, in order, and their names. `None` stands for all columns of the plan.
#[derive(Debug, Clone)]
pub(crate) struct Projection(Option<Selection>);

#[derive(Debug, Clone)]
struct Selection {
    columns: Arc<[usize]>,
    schema: SchemaRef,
}

impl Projection {
    pub(crate) fn all() -> Self {
        Self(None)
    }

    /// These columns.
    pub(crate) fn of(plan: &Plan, outputs: &[OutputColumn]) -> Result<Self> {
        let columns = outputs.iter().map(|output| plan.schema.index_of(&output.field));
        let columns: Vec<usize> = columns.collect::<std::result::Result<_, _>>()?;
        if columns.iter().copied().eq(0..plan.columns.len()) && !outputs.iter().any(OutputColumn::is_renamed)
        {
            return Ok(Self::all());
        }
        let fields = columns.iter().zip(outputs);
        let fields =
            fields.map(|(&column, output)| plan.schema.field(column).clone().with_name(&output.name));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self(Some(Selection { columns: columns.into(), schema })))
    }

    /// The schema of the projected columns.
    pub(crate) fn schema(&self, plan: &Plan) -> SchemaRef {
        self.0.as_ref().map_or(&plan.schema, |selection| &selection.schema).clone()
    }

    /// The projected columns of `batch`. No data is copied.
    pub(crate) fn of_batch(&self, batch: RecordBatch) -> Result<RecordBatch> {
        match &self.0 {
            None => Ok(batch),
            Some(selection) => {
                let columns = selection.columns.iter().map(|&column| batch.column(column).clone());
                let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                let schema = selection.schema.clone();
                Ok(RecordBatch::try_new_with_options(schema, columns.collect(), &rows)?)
            }
        }
    }
}
