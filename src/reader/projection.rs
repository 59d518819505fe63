//! The projection of a scan: which of the plan's columns its batches have.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::Result;
use crate::record::Plan;

/// The columns of a batch, in order. `None` stands for all columns of the plan.
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

    /// The columns of these `names`.
    pub(crate) fn of(plan: &Plan, names: &[String]) -> Result<Self> {
        let columns = names.iter().map(|name| plan.schema.index_of(name));
        let columns: Vec<usize> = columns.collect::<std::result::Result<_, _>>()?;
        if columns.iter().copied().eq(0..plan.columns.len()) {
            return Ok(Self::all());
        }
        let schema = Arc::new(plan.schema.project(&columns)?);
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
            Some(selection) => Ok(batch.project(&selection.columns)?),
        }
    }
}
